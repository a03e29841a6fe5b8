import fc from 'fast-check';
import { expect, it } from 'vitest';
import { nameInLayout } from './name-in-layout.js';

const hash = fc.uint8Array({ minLength: 16, maxLength: 16 });
const text = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

it('given a block in two layouts, then it has two names, from which the layout gives the hash back', () =>
  fc.assert(
    fc.property(hash, hash, hash, (block, one, other) => {
      const before = text(block);
      const name = nameInLayout(block, one);
      expect(text(nameInLayout(name, one))).toBe(before);
      expect(text(name) === text(nameInLayout(block, other))).toBe(text(one) === text(other));
      const into = new Uint8Array(16);
      expect(nameInLayout(block, one, into)).toBe(into);
      expect([text(into), text(block)]).toEqual([text(name), before]);
    }),
  ));
