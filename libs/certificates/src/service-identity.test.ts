import { describe, expect, it } from 'vitest';
import { identityUri, parseIdentityUri, uriOf } from './service-identity.js';

describe('the identity in a certificate', () => {
  it('given an identity, when written and read, then it is the same', () => {
    const identity = { trustDomain: 'example.org', service: 'worker', name: 'worker-0' } as const;
    expect(identityUri(identity)).toBe('spiffe://example.org/worker/worker-0');
    expect(parseIdentityUri(identityUri(identity))).toEqual(identity);
  });

  it.each([
    'https://example.org/worker/a',
    'spiffe://example.org/worker',
    'spiffe://example.org/worker/a/b',
    'spiffe://example.org/cook/a',
    'spiffe://example.org/worker/..',
    'spiffe://Example.org/worker/a',
    'spiffe:///worker/a',
    'spiffe://example.org/worker/a\n',
    `spiffe://example.org/worker/${'a'.repeat(65)}`,
  ])('given %j, then it is none of ours', (uri) => expect(parseIdentityUri(uri)).toBeUndefined());

  it('given alternative names, then the URI among them comes; of two, or of names that hide one, none', () => {
    expect(uriOf('DNS:localhost, URI:spiffe://a/worker/b, IP Address:127.0.0.1')).toBe('spiffe://a/worker/b');
    expect(uriOf('DNS:localhost')).toBeUndefined();
    expect(uriOf(undefined)).toBeUndefined();
    expect(uriOf('URI:spiffe://a/worker/b, URI:spiffe://a/gateway/b')).toBeUndefined();
    expect(uriOf('DNS:"x, URI:spiffe://a/gateway/b, y"')).toBeUndefined();
  });
});
