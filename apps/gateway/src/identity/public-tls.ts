import { TlsIdentity } from '#lib/certificates';
import { type TlsListenerOptions, TlsMetrics } from '#lib/channels';
import { ConfigError, type HydraConfig } from '#lib/config';
import type { Logger } from '#lib/observability';

/** TLS of the gateway's own ports. */
export abstract class PublicTls {
  /** Absent where they are in the clear. */
  abstract readonly listener: TlsListenerOptions | undefined;
  abstract close(): void;
}

/** Opens what `gateway.tls` asks for. @throws ConfigError that names the file, when one cannot be used */
export function openPublicTls({ gateway, certificates }: HydraConfig, logger: Logger): PublicTls {
  const { certificateFile, keyFile, clientCaFile } = gateway.tls;
  if (certificateFile === undefined || keyFile === undefined) return { listener: undefined, close: () => {} };
  let identity: TlsIdentity;
  try {
    identity = new TlsIdentity({
      files: { certificateFile, keyFile, caFile: clientCaFile },
      reloadIntervalMs: certificates.reloadIntervalMs,
      onReloaded: () => logger.info("new certificates of the gateway's ports count from now on"),
      onUnusable: (reason) => logger.error({ reason }, 'new certificates cannot be used; those of before go on'),
    });
  } catch (cause) {
    throw new ConfigError([`gateway.tls: ${(cause as Error).message}`], { cause });
  }
  const metrics = new TlsMetrics();
  metrics.watch(identity);
  return {
    listener: {
      identity,
      minVersion: 'TLSv1.2', // what clients of others may have at best
      clientCertificates: clientCaFile === undefined ? 'none' : 'optional',
      onRefused: (reason) => metrics.refused(reason),
    },
    close: () => identity.close(),
  };
}
