import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PrefixHashes } from './prefix-hashes.js';

const hash = fc.uint8Array({ minLength: 16, maxLength: 16 });

describe('PrefixHashes', () => {
  it('given any hashes, wherever in a buffer they begin, then each is what it was, whole and word by word', () =>
    fc.assert(
      fc.property(fc.array(hash, { maxLength: 20 }), fc.nat({ max: 5 }), (hashes, offset) => {
        const padded = new Uint8Array(offset + hashes.length * 16 + 3);
        for (const [block, one] of hashes.entries()) padded.set(one, offset + block * 16);
        const packed = new PrefixHashes(padded.subarray(offset, offset + hashes.length * 16));
        expect(packed.length).toBe(hashes.length);
        expect(packed.toArray()).toEqual(hashes.map((one) => Buffer.from(one)));
        expect(packed.bytes).toEqual(PrefixHashes.of(hashes).bytes);
        for (const [block, one] of hashes.entries()) {
          expect(packed.at(block)).toEqual(Buffer.from(one));
          for (const at of [0, 3, 8, 12]) expect(packed.word(block, at)).toBe(Buffer.from(one).readUInt32BE(at));
        }
      }),
    ));

  it('given two prompts, then it finds what both begin with, and never less than what is known', () =>
    fc.assert(
      fc.property(
        fc.array(hash, { maxLength: 40 }),
        fc.uniqueArray(hash, { minLength: 2, maxLength: 40, selector: String }),
        fc.nat({ max: 40 }),
        fc.nat({ max: 40 }),
        (shared, [first, ...others], ownLength, known) => {
          const one = PrefixHashes.of([...shared, first!, ...others.slice(0, ownLength)]);
          const other = PrefixHashes.of([...shared, ...others]);
          expect(one.commonBlocks(other)).toBe(shared.length);
          expect(other.commonBlocks(one)).toBe(shared.length);
          expect(one.commonBlocks(other, known)).toBe(Math.max(known, shared.length));
          expect(one.commonBlocks(one)).toBe(one.length);
        },
      ),
    ));

  it('gives the hashes of some blocks without copying them', () => {
    const packed = PrefixHashes.of([1, 2, 3, 4].map((fill) => new Uint8Array(16).fill(fill)));
    const some = packed.slice(1, 3);
    expect(some.toArray().map(([first]) => first)).toEqual([2, 3]);
    packed.bytes[16] = 9;
    expect([some.word(0, 0), some.at(0)[0]]).toEqual([0x09020202, 9]);
  });

  it('given what are no whole hashes, or a block that is not there, then it says so', () => {
    expect(() => new PrefixHashes(new Uint8Array(40))).toThrow('16 bytes each, but together there are 40');
    expect(() => PrefixHashes.of([new Uint8Array(16), new Uint8Array(3)])).toThrow('block 1 must have 16 bytes, not 3');
    expect(() => PrefixHashes.of([new Uint8Array(16)]).word(1, 0)).toThrow(RangeError);
    expect(() => PrefixHashes.of([new Uint8Array(16)]).at(1)).toThrow('none of block 1');
  });
});
