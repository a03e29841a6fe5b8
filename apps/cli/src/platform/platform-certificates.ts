import { CertificateFolder, type ServiceName } from '#lib/certificates';
import { ConfigError, type HydraConfig } from '#lib/config';

/** Services of a platform on one machine, and its people's tools. */
const SERVICES: readonly ServiceName[] = ['gateway', 'scheduler', 'worker', 'kvcache', 'client'];
/** Often against a third of the shortest life that anybody asks for, a day. */
const RENEWAL_INTERVAL_MS = 3_600_000;

/**
 * Makes what the services of one machine need for `tls: on`, and renews it before it ends, for as long as the process lives.
 * @throws ConfigError when files of one service are configured for all of them; CertificateFolderError
 */
export async function keepCertificates(
  { tls, certificates }: HydraConfig,
  onLine: (line: string) => void,
): Promise<void> {
  if (tls === 'off') return;
  if (certificates.certificateFile !== undefined) {
    const problem =
      'certificates.certificateFile: each service has its own; for `hydra up` put them all into certificates.folder';
    throw new ConfigError([problem]);
  }
  const folder = new CertificateFolder(certificates.folder, certificates.trustDomain);
  const ensure = async () => {
    for (const file of await folder.ensure(SERVICES)) onLine(`made the certificate ${file}`);
  };
  await ensure();
  setInterval(
    () => ensure().catch((error: unknown) => onLine(`certificates could not be renewed: ${(error as Error).message}`)),
    RENEWAL_INTERVAL_MS,
  ).unref();
}
