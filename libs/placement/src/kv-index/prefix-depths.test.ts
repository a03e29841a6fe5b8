import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PrefixDepths } from './prefix-depths.js';

const WORKERS = 64;
const numbers = Array.from({ length: WORKERS }, (_, number) => number);

/** Finds depths where `holds` tells who holds which block, and counts the looks. */
function find(blocks: number, holds: (number: number, block: number) => boolean, asked: (number | undefined)[]) {
  let looks = 0;
  let located: number[] = [];
  let block = 0;
  const depths = new PrefixDepths(WORKERS).find(asked, blocks, {
    locate: (next, count) => {
      located = [...next.subarray(0, count)];
    },
    look: (index) => {
      looks++;
      block = located[index]!;
    },
    isHeldBy: (number) => holds(number, block),
  });
  return { depths, looks };
}

describe('PrefixDepths', () => {
  it('given workers that hold beginnings of a prompt, then it tells how much of it each holds, after few looks', () =>
    fc.assert(
      fc.property(
        fc.nat({ max: 1_000 }).chain((blocks) =>
          fc.record({
            blocks: fc.constant(blocks),
            held: fc.array(fc.nat({ max: blocks }), { minLength: WORKERS, maxLength: WORKERS }),
            asked: fc.shuffledSubarray(numbers),
          }),
        ),
        ({ blocks, held, asked }) => {
          const { depths, looks } = find(blocks, (number, block) => block < held[number]!, asked);
          expect(depths).toEqual(asked.map((number) => held[number]));
          const different = new Set(depths).size;
          expect(looks).toBeLessThanOrEqual(1 + different * Math.ceil(Math.log2(blocks + 1)));
        },
      ),
    ));

  it('given workers that have lost blocks in the middle, then it tells the end of some run that each holds, never less than the first', () =>
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 40 }),
        fc.array(fc.uniqueArray(fc.nat({ max: 39 })), { minLength: WORKERS, maxLength: WORKERS }),
        (blocks, lost) => {
          const holds = (number: number, block: number) => !lost[number]!.includes(block);
          const { depths } = find(blocks, holds, numbers);
          for (const [number, depth] of depths.entries()) {
            const first = Array.from({ length: blocks }, (_, block) => block).findIndex(
              (block) => !holds(number, block),
            );
            expect(depth).toBeGreaterThanOrEqual(first < 0 ? blocks : first);
            if (depth > 0) expect(holds(number, 0) && holds(number, depth - 1)).toBe(true);
            if (depth < blocks) expect(holds(number, depth)).toBe(false);
          }
        },
      ),
    ));

  it('given workers that hold nothing at all, then each has nothing', () => {
    expect(find(5, () => true, [undefined, 3, undefined]).depths).toEqual([0, 5, 0]);
    expect(find(0, () => true, [3])).toEqual({ depths: [0], looks: 0 });
  });
});
