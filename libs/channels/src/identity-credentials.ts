import { createSecureContext, type PeerCertificate, type SecureContext } from 'node:tls';
import { type CallCredentials, ChannelCredentials, type ChannelOptions, type experimental } from '@grpc/grpc-js';
import type { ServiceName, TlsIdentity, TlsMaterial } from '#lib/certificates';
import { identityOf, isPeerGone, refusalOf, type TlsRefusal } from './tls-refusal.js';

export interface IdentityCredentialsOptions {
  /** What is shown, and who is believed. */
  readonly identity: TlsIdentity;
  readonly trustDomain: string;
  /** Who must answer. */
  readonly service: ServiceName;
  readonly onRefused: (reason: TlsRefusal) => void;
}

/**
 * Credentials of a channel to a service of ours, in TLS 1.3: who answers must be that service by its certificate, wherever it
 * runs. Each new connection takes the certificates of the moment; those that stand are left alone.
 */
export class IdentityCredentials extends ChannelCredentials {
  private latest: { readonly material: TlsMaterial; readonly context: SecureContext } | undefined;

  constructor(private readonly options: IdentityCredentialsOptions) {
    super();
  }

  override _isSecure(): boolean {
    return true;
  }

  override _equals(other: ChannelCredentials): boolean {
    return this === other;
  }

  override _createSecureConnector(
    target: experimental.GrpcUri,
    options: ChannelOptions,
    callCredentials?: CallCredentials,
  ): experimental.SecureConnector {
    // The name in the greeting of TLS: that of the service, since targets are often addresses, which may not stand there.
    const named = { ...options, 'grpc.ssl_target_name_override': this.options.service };
    const verify = { checkServerIdentity: (_name: string, shown: PeerCertificate) => this.problemOf(shown) };
    const connector = () =>
      ChannelCredentials.createFromSecureContext(this.context(), verify)._createSecureConnector(
        target,
        named,
        callCredentials,
      );
    const first = connector();
    return {
      connect: (socket) =>
        connector()
          .connect(socket)
          .catch((error: unknown) => {
            this.count(error);
            throw error;
          }),
      waitForReady: () => Promise.resolve(),
      getCallCredentials: () => first.getCallCredentials(),
      destroy: () => {},
    };
  }

  /** Of the files as they are now. */
  private context(): SecureContext {
    const material = this.options.identity.current;
    if (this.latest?.material !== material) {
      this.latest = { material, context: createSecureContext({ ...material.context, minVersion: 'TLSv1.3' }) };
    }
    return this.latest.context;
  }

  private problemOf(shown: PeerCertificate): Error | undefined {
    const { trustDomain, service } = this.options;
    const identity = identityOf(shown, trustDomain);
    if (identity?.service === service) return undefined;
    const found = identity === undefined ? `nobody of ${trustDomain}` : `the service '${identity.service}'`;
    return new WrongPeerError(
      identity === undefined ? 'wrong-identity' : 'wrong-service',
      `expected the service '${service}', and its certificate is for ${found}`,
    );
  }

  private count(error: unknown): void {
    const code = (error as NodeJS.ErrnoException | undefined)?.code ?? error; // of a certificate it is the code itself
    if (error instanceof WrongPeerError) this.options.onRefused(error.refusal);
    else if (!isPeerGone(code)) this.options.onRefused(refusalOf(code));
  }
}

class WrongPeerError extends Error {
  override readonly name = 'WrongPeerError';
  constructor(
    readonly refusal: TlsRefusal,
    message: string,
  ) {
    super(message);
  }
}
