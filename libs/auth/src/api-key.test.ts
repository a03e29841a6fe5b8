import { timingSafeEqual } from 'node:crypto';
import { expect, it, vi } from 'vitest';
import { isSameHash, mintApiKey, parseApiKey } from './api-key.js';

vi.mock('node:crypto', async (importActual) => {
  const actual = await importActual<typeof import('node:crypto')>();
  return { ...actual, timingSafeEqual: vi.fn(actual.timingSafeEqual) };
});

it('given minted keys, then each is another, has 256 random bits, and is found again by id and hash', () => {
  const keys = Array.from({ length: 1_000 }, mintApiKey);
  expect(new Set(keys.map(({ id }) => id)).size).toBe(1_000);
  expect(new Set(keys.map(({ hash }) => hash)).size).toBe(1_000);
  for (const { text, id, hash } of keys) {
    expect(text).toMatch(/^hydra_[A-Za-z0-9][A-Za-z0-9-]{11}_[A-Za-z0-9_-]{43}$/); // no option of a command
    expect(Buffer.from(text.slice(-43), 'base64url').length).toBe(32);
    expect(parseApiKey(text)).toEqual({ id, hash });
  }
});

it.each([
  ['', 'nothing'],
  ['hydra_', 'the prefix alone'],
  [`sk_abcdefghijkl_${'x'.repeat(43)}`, 'another prefix'],
  [`hydra_abcdefghijkl_${'x'.repeat(42)}`, 'too short a secret'],
  [`hydra_abcdefghijkl_${'x'.repeat(44)}`, 'too long a secret'],
  [`hydra_abcdefghijkl_${'x'.repeat(42)}\n`, 'a line feed at the end'],
  [`hydra_abc'; drop t_${'x'.repeat(43)}`, 'another alphabet'],
  [`hydra_${'a'.repeat(1_000_000)}`, 'a million characters'],
])('given %.40j (%s), then it is no key', (text) => {
  expect(parseApiKey(text)).toBeUndefined();
});

it('given one bit of a key changed, then the hash is another', () => {
  const { text, hash } = mintApiKey();
  const other = parseApiKey(`${text.slice(0, -2)}${text.at(-2) === 'A' ? 'B' : 'A'}${text.at(-1)}`);
  expect(isSameHash(hash, other?.hash ?? '')).toBe(false);
  expect(isSameHash(hash, hash)).toBe(true);
  expect(isSameHash(hash, hash.slice(1))).toBe(false);
});

it('given a hash that differs anywhere, then all of it is compared, in a time that does not tell where', () => {
  const { hash } = mintApiKey();
  for (let at = 0; at < hash.length; at++) {
    const other = `${hash.slice(0, at)}${hash[at] === '0' ? '1' : '0'}${hash.slice(at + 1)}`;
    vi.mocked(timingSafeEqual).mockClear();
    expect(isSameHash(hash, other)).toBe(false);
    expect(vi.mocked(timingSafeEqual).mock.calls).toEqual([[Buffer.from(hash), Buffer.from(other)]]);
  }
});

it('given a key of before whose id begins with -, then it goes on being one', () => {
  expect(parseApiKey(`hydra_-J9zabcdefgh_${'x'.repeat(43)}`)?.id).toBe('-J9zabcdefgh');
});
