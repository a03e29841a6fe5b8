import { ChannelCredentials, credentials, type Server } from '@grpc/grpc-js';
import { type IdentityFolder, identityFiles, type ServiceName, TlsIdentity } from '#lib/certificates';
import type { Logger } from '#lib/observability';
import { allowedCallers } from './allowed-callers.js';
import { type BoundServer, bindServer } from './bind-server.js';
import { IdentityCredentials } from './identity-credentials.js';
import { bindSecurely, type TlsListenerOptions } from './secure-listener.js';
import { TlsMetrics } from './tls-metrics.js';
import { identityOf } from './tls-refusal.js';

/** How processes of ours talk to each other: in the clear, or in TLS 1.3 with certificates on both sides. */
export abstract class ChannelSecurity {
  /** For a client of that service. */
  abstract credentialsFor(service: ServiceName): ChannelCredentials;
  /** Has a server of ours listen; port 0 takes a free one. */
  abstract bind(server: Server, host: string, port: number): Promise<BoundServer>;
  /** Files are followed no longer. Nest calls it. */
  abstract onApplicationShutdown(): void;
}

export interface ChannelSecurityOptions {
  readonly tls: 'on' | 'off';
  readonly certificates: IdentityFolder & { readonly trustDomain: string; readonly reloadIntervalMs: number };
}

/**
 * @param service  what this process is
 * @throws Error that names the file, when a certificate cannot be used
 */
export function openChannelSecurity(
  { tls, certificates }: ChannelSecurityOptions,
  service: ServiceName,
  logger: Logger,
): ChannelSecurity {
  if (tls === 'off') return new PlainChannels();
  const identity = new TlsIdentity({
    files: identityFiles(certificates, service),
    reloadIntervalMs: certificates.reloadIntervalMs,
    onReloaded: () => logger.info('new certificates count from now on'),
    onUnusable: (reason) => logger.error({ reason }, 'new certificates cannot be used; those of before go on'),
  });
  return new TlsChannels(identity, certificates.trustDomain, new TlsMetrics());
}

class PlainChannels extends ChannelSecurity {
  override credentialsFor(): ChannelCredentials {
    return credentials.createInsecure();
  }

  override bind(server: Server, host: string, port: number): Promise<BoundServer> {
    return bindServer(server, host, port);
  }

  override onApplicationShutdown(): void {}
}

class TlsChannels extends ChannelSecurity {
  constructor(
    private readonly identity: TlsIdentity,
    private readonly trustDomain: string,
    private readonly metrics: TlsMetrics,
  ) {
    super();
    metrics.watch(identity);
  }

  override credentialsFor(service: ServiceName): ChannelCredentials {
    const { identity, trustDomain } = this;
    return new IdentityCredentials({ identity, trustDomain, service, onRefused: (why) => this.metrics.refused(why) });
  }

  override bind(server: Server, host: string, port: number): Promise<BoundServer> {
    const { identity, trustDomain, metrics } = this;
    const onRefused: TlsListenerOptions['onRefused'] = (reason) => metrics.refused(reason);
    const options: TlsListenerOptions = {
      identity,
      minVersion: 'TLSv1.3',
      clientCertificates: 'required',
      refusalOfClient: (socket) =>
        identityOf(socket.getPeerCertificate(), trustDomain) === undefined ? 'wrong-identity' : undefined,
      onRefused,
    };
    return bindSecurely(server, host, port, options, [allowedCallers(trustDomain, onRefused)]);
  }

  override onApplicationShutdown(): void {
    this.identity.close();
  }
}
