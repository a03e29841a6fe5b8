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
