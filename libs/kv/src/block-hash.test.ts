import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hashBlocks, InvalidBlockSizeError, InvalidTokenIdError, prefixSeed } from './block-hash.js';

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const tokenIds = fc.array(fc.nat({ max: 0xffffffff }), { maxLength: 80 });
const blockTokens = fc.integer({ min: 1, max: 20 });
const identity = fc.record({ modelFingerprint: fc.string(), adapterVersion: fc.string(), salt: fc.string() });

interface Vector {
  readonly name: string;
  readonly identity: { modelFingerprint: string; adapterVersion: string; salt: string };
  readonly seed: string;
  readonly blockTokens: number;
  readonly tokenIds: number[];
  readonly hashes: string[];
}

/** The vectors were made by `golden-block-hashes.py`, apart from this code. */
const vectors = JSON.parse(
  readFileSync(new URL('./golden-block-hashes.json', import.meta.url), 'utf8'),
) as readonly Vector[];

describe('hashBlocks', () => {
  it.each(vectors)('gives the golden hashes: $name', (vector) => {
    const seed = prefixSeed(vector.identity);
    expect(hex(seed)).toBe(vector.seed);
    expect(hashBlocks(vector.tokenIds, vector.blockTokens, seed).map(hex)).toEqual(vector.hashes);
  });

  it('gives one hash of 16 bytes for each full block', () =>
    fc.assert(
      fc.property(tokenIds, blockTokens, identity, (ids, size, of) => {
        const hashes = hashBlocks(ids, size, prefixSeed(of));
        expect(hashes.length).toBe(Math.floor(ids.length / size));
        expect(hashes.every((one) => one.length === 16)).toBe(true);
      }),
    ));

  it('given two prompts with a common prefix, then exactly the hashes of the common full blocks are equal', () =>
    fc.assert(
      fc.property(tokenIds, tokenIds, tokenIds, blockTokens, identity, (common, left, right, size, of) => {
        const a = [...common, ...left];
        const b = [...common, ...right];
        let equalTokens = 0;
        while (equalTokens < a.length && equalTokens < b.length && a[equalTokens] === b[equalTokens]) equalTokens++;
        const seed = prefixSeed(of);
        const hashesOfA = hashBlocks(a, size, seed).map(hex);
        const hashesOfB = hashBlocks(b, size, seed).map(hex);
        let equalBlocks = 0;
        while (equalBlocks < hashesOfA.length && hashesOfA[equalBlocks] === hashesOfB[equalBlocks]) equalBlocks++;
        expect(equalBlocks).toBe(Math.floor(equalTokens / size));
      }),
    ));

  it('continues from any block: the hash of a prefix is the parent of what follows', () =>
    fc.assert(
      fc.property(tokenIds, blockTokens, fc.nat(80), identity, (ids, size, cut, of) => {
        const seed = prefixSeed(of);
        const whole = hashBlocks(ids, size, seed);
        const blocks = Math.min(cut, whole.length);
        const rest = hashBlocks(ids.slice(blocks * size), size, whole[blocks - 1] ?? seed);
        expect(rest.map(hex)).toEqual(whole.slice(blocks).map(hex));
      }),
    ));

  it('keeps identities apart, also where their fields run together', () =>
    fc.assert(
      fc.property(identity, identity, (a, b) => {
        const same =
          a.modelFingerprint === b.modelFingerprint && a.adapterVersion === b.adapterVersion && a.salt === b.salt;
        expect(hex(prefixSeed(a)) === hex(prefixSeed(b))).toBe(same);
      }),
    ));

  it('takes typed arrays and arrays alike, and leaves its inputs as they were', () =>
    fc.assert(
      fc.property(tokenIds, blockTokens, (ids, size) => {
        const seed = prefixSeed({ modelFingerprint: 'm', adapterVersion: '', salt: '' });
        const before = hex(seed);
        expect(hashBlocks(Uint32Array.from(ids), size, seed).map(hex)).toEqual(hashBlocks(ids, size, seed).map(hex));
        expect(hex(seed)).toBe(before);
      }),
    ));

  it('is SHA-256 over the parent and the ids as 32-bit little-endian', () => {
    const seed = prefixSeed({ modelFingerprint: 'm', adapterVersion: 'a', salt: 's' });
    const expected = createHash('sha256').update(seed).update(Buffer.from('0100000002000000', 'hex')).digest('hex');
    expect(hashBlocks([1, 2], 2, seed).map(hex)).toEqual([expected.slice(0, 32)]);
  });

  it('refuses a block size or a token id that is none', () => {
    const seed = prefixSeed({ modelFingerprint: 'm', adapterVersion: '', salt: '' });
    for (const size of [0, -1, 1.5, Number.NaN])
      expect(() => hashBlocks([1], size, seed)).toThrow(InvalidBlockSizeError);
    for (const id of [-1, 0.5, 2 ** 32, Number.NaN])
      expect(() => hashBlocks([id], 1, seed)).toThrow(InvalidTokenIdError);
    expect(() => hashBlocks([1], 1, new Uint8Array(3))).toThrow('16 bytes');
  });
});
