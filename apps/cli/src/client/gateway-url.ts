import { type HydraConfig, loadConfig } from '#lib/config';
import { readRunState } from '../platform/run-state.js';

/** The gateway to talk to, without `/v1`: the one given, else the platform that runs here, else the configured address. */
export function gatewayUrl(given: string | undefined): string {
  if (given !== undefined) {
    if (/^(?!https?:)[a-z][a-z0-9+.-]*:\/\//i.test(given)) {
      throw new Error(`expected a gateway like https://HOST:8080, got ${JSON.stringify(given)}`);
    }
    const url = /^https?:\/\//.test(given) ? given : `http://${given}`;
    return url.replace(/\/+$/, '').replace(/\/v1$/, '');
  }
  const config = loadConfig();
  const { host, httpPort } = config.gateway;
  return readRunState(config.storage.folder)?.gatewayUrl ?? `${gatewayScheme(config.gateway)}://${host}:${httpPort}`;
}

/** How a gateway of this configuration is talked to. */
export function gatewayScheme({ tls }: HydraConfig['gateway']): 'http' | 'https' {
  return tls.certificateFile === undefined ? 'http' : 'https';
}
