import { expect, it } from 'vitest';
import { exposureProblems } from './exposure.js';

it.each([
  ...['127.0.0.1', '127.9.9.9', '::1', 'localhost', 'LOCALHOST', '::ffff:127.0.0.1', '0:0:0:0:0:0:0:1'].map(
    (host) => [host, true] as const,
  ),
  ...[
    '0.0.0.0',
    '::',
    '10.0.0.1',
    '128.0.0.1',
    '::ffff:10.0.0.1',
    'example.org',
    'localhost.example.org',
    '',
    '127.0.0.1.nip.io',
    '0',
  ].map((host) => [host, false] as const),
])('given the host %j, then only this machine reaches it: %s', (host, expected) => {
  expect(exposureProblems(host, 'off').length === 0).toBe(expected);
});

it('given a host that others reach and no authentication, then both ways out are named', () => {
  expect(exposureProblems('0.0.0.0', 'off').join(' ')).toMatch(
    /"0\.0\.0\.0".*hydra keys bootstrap.*HYDRA_AUTH=required.*HYDRA_HOST=127\.0\.0\.1/,
  );
  expect(exposureProblems('0.0.0.0', 'required')).toEqual([]);
});
