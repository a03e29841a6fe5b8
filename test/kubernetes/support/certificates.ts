import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

interface KeyPair {
  readonly key: string;
  /** Certificate, or public key. */
  readonly certificate: string;
}

/** Paths of PEM files. */
export interface Authority {
  readonly authority: string;
  readonly server: KeyPair;
  readonly serviceAccounts: KeyPair;
}

/** What an API server on loopback needs, by openssl. */
export function createAuthority(folder: string): Authority {
  mkdirSync(folder, { recursive: true });
  const file = (name: string) => join(folder, name);
  const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: 'ignore' });
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  openssl(
    ...['req', '-x509', ...key, '-days', '30', '-subj', '/CN=test', '-keyout', file('ca.key'), '-out', file('ca.crt')],
    ...['-addext', 'basicConstraints=critical,CA:TRUE', '-addext', 'keyUsage=critical,keyCertSign,cRLSign'],
  );
  openssl('req', ...key, '-subj', '/CN=kube-apiserver', '-keyout', file('server.key'), '-out', file('server.csr'));
  writeFileSync(
    file('server.ext'),
    'subjectAltName=DNS:localhost,IP:127.0.0.1,IP:10.96.0.1\nextendedKeyUsage=serverAuth\n',
  );
  openssl(
    ...['x509', '-req', '-in', file('server.csr'), '-CA', file('ca.crt'), '-CAkey', file('ca.key'), '-CAcreateserial'],
    ...['-days', '30', '-extfile', file('server.ext'), '-out', file('server.crt')],
  );
  openssl('genrsa', '-out', file('accounts.key'), '2048');
  openssl('rsa', '-in', file('accounts.key'), '-pubout', '-out', file('accounts.pub'));
  return {
    authority: file('ca.crt'),
    server: { key: file('server.key'), certificate: file('server.crt') },
    serviceAccounts: { key: file('accounts.key'), certificate: file('accounts.pub') },
  };
}
