import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cacheSaltOf } from './cache-salt.js';

describe('cacheSaltOf', () => {
  it('given any two tenants and salts, then the results are equal only where both are, and always 32 bytes', () => {
    const side = fc.tuple(fc.string({ maxLength: 3 }), fc.option(fc.string({ maxLength: 3 }), { nil: undefined }));
    fc.assert(
      fc.property(side, side, ([tenantA, saltA], [tenantB, saltB]) => {
        const [a, b] = [cacheSaltOf(tenantA, saltA), cacheSaltOf(tenantB, saltB)];
        expect([a.length, b.length]).toEqual([32, 32]);
        expect(Buffer.from(a).equals(b)).toBe(tenantA === tenantB && saltA === saltB);
      }),
    );
  });

  it('given fields that run together, or a salt that looks like none, then they are told apart', () => {
    const salts = [
      cacheSaltOf('ab', 'c'),
      cacheSaltOf('a', 'bc'),
      cacheSaltOf('abc', undefined),
      cacheSaltOf('abc', 'null'),
      cacheSaltOf('abc', ''),
    ];
    expect(new Set(salts.map((salt) => Buffer.from(salt).toString('hex'))).size).toBe(salts.length);
  });
});
