import { expect, it } from 'vitest';
import { gatewayUrl } from './gateway-url.js';

it.each([
  ['http://127.0.0.1:8080', 'http://127.0.0.1:8080'],
  ['http://127.0.0.1:8080/', 'http://127.0.0.1:8080'],
  ['https://host/prefix/v1/', 'https://host/prefix'],
  ['127.0.0.1:8080', 'http://127.0.0.1:8080'],
  ['localhost:8080/v1', 'http://localhost:8080'],
])('given %s, when asked where the gateway is, then it is %s', (given, expected) => {
  expect(gatewayUrl(given)).toBe(expected);
});

it.each(['ftp://host', 'grpc://host:9090', 'unix:///socket'])(
  'given %s, which is no address of a gateway, then it says so',
  (given) => {
    expect(() => gatewayUrl(given)).toThrow(`expected a gateway like https://HOST:8080, got "${given}"`);
  },
);
