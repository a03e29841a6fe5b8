import { platform } from 'node:process';
import fc from 'fast-check';
import koffi from 'koffi';
import { describe, expect, it } from 'vitest';
import { residentBytes } from '../testing/resident-bytes.js';
import { BLOCK_TOKENS } from './kv-block-places.js';
import { KvMemory, kvBytesPerToken, kvPageTokens } from './kv-memory.js';
import { KvPromptEnds, planPromptEnds } from './kv-prompt-ends.js';
import { VirtualMemory } from './virtual-memory.js';

const FLOAT_BYTES = 4;

describe.runIf(VirtualMemory.pageBytes() !== undefined)('places for ends of prompts', () => {
  const pageBytes = VirtualMemory.pageBytes()!;

  it.each([64, 24])(
    'given heads of %i numbers and any ends, when they are kept, brought and released, then logits and positions are the same, and what is resident is within what is counted',
    (headDim) => {
      const shape = { layers: 2, slots: 2, kvHeads: 2, headDim, slotTokens: 4 * kvPageTokens(headDim, pageBytes) };
      const vocabularySize = 1_500;
      const offset = KvMemory.byteLength(shape);
      const end = fc.record({ place: fc.nat(3), positions: fc.nat(BLOCK_TOKENS - 1), isReleased: fc.boolean() });
      fc.assert(
        fc.property(fc.array(end, { minLength: 1, maxLength: 6 }), (ends) => {
          const plan = planPromptEnds({ ...shape, vocabularySize }, { pageBytes, kvTotalBytes: 1e6 });
          const memory = VirtualMemory.reserve(offset + 4 * plan.placeBytes);
          const kv = new KvMemory(memory, { memoryInfo: 0n }, shape);
          const places = new KvPromptEnds(memory, kv, { ...plan, count: 4, offset });
          const numbers = new Float32Array(koffi.view(memory.address, memory.byteLength));
          const heads = kv.headOffsets(0).map((head) => head / FLOAT_BYTES);
          const held = new Map<number, { seed: number; positions: number }>();
          try {
            for (const [index, { place, positions, isReleased }] of ends.entries()) {
              if (held.delete(place)) places.release(place);
              const seed = index + 1;
              for (const [at, head] of heads.entries()) {
                for (let i = 0; i < positions * headDim; i++)
                  numbers[head + 16 * headDim + i] = seed * 1_000 + at + i / 100;
              }
              const logits = Float32Array.from({ length: vocabularySize }, (_, id) => seed + id);
              places.save(place, { slot: 0, from: 16, to: 16 + positions }, logits);
              if (isReleased) places.release(place);
              else held.set(place, { seed, positions });
            }
            kv.release(0);
            const counted = [...held.values()].reduce((sum, { positions }) => sum + places.takenTokens(positions), 0);
            if (platform === 'linux') {
              expect(residentBytes(memory)).toBeLessThanOrEqual(counted * kvBytesPerToken(shape));
              expect(residentBytes(memory)).toBeGreaterThanOrEqual((counted - held.size) * kvBytesPerToken(shape));
            }
            for (const [place, { seed, positions }] of held) {
              const logits = places.load(place, { slot: 1, from: 16, to: 16 + positions });
              expect(logits).toEqual(Float32Array.from({ length: vocabularySize }, (_, id) => seed + id));
              for (const [at, head] of kv.headOffsets(1).entries()) {
                const from = head / FLOAT_BYTES + 16 * headDim;
                const own = numbers.subarray(from, from + positions * headDim);
                expect(own).toEqual(Float32Array.from(own, (_, i) => seed * 1_000 + at + i / 100));
              }
            }
          } finally {
            kv.close(); // else the next one's pages are told with these
          }
        }),
        { numRuns: 40 },
      );
    },
  );
});
