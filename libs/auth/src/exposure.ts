import { BlockList, isIP } from 'node:net';

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4'); // mapped into IPv6 as well
LOOPBACK.addAddress('::1', 'ipv6');

/**
 * Why a gateway may not listen there: everybody who reaches it would be let in.
 * @returns sentences for whoever starts it, which say how to go on; none when all is well
 */
export function exposureProblems(host: string, mode: 'off' | 'required'): string[] {
  if (mode === 'required' || isLoopback(host)) return [];
  return [
    `gateway.host: ${JSON.stringify(host)} can be reached from other machines, and with auth.mode \`off\` everybody there would be let in.`,
    'Either make a key with `hydra keys bootstrap` and set HYDRA_AUTH=required, or set HYDRA_HOST=127.0.0.1; see docs/auth.md.',
  ];
}

/** Whether only this machine can reach what listens there. Names other than `localhost` are taken for reachable. */
function isLoopback(host: string): boolean {
  const version = isIP(host);
  if (version === 0) return host.toLowerCase() === 'localhost';
  return LOOPBACK.check(host, version === 6 ? 'ipv6' : 'ipv4');
}
