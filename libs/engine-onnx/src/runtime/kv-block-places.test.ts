import { platform } from 'node:process';
import fc from 'fast-check';
import koffi from 'koffi';
import { describe, expect, it } from 'vitest';
import { residentBytes } from '../testing/resident-bytes.js';
import { BLOCK_TOKENS, KvBlockPlaces, planBlockPlaces } from './kv-block-places.js';
import { KvMemory, kvPageTokens } from './kv-memory.js';
import { VirtualMemory } from './virtual-memory.js';

describe('planBlockPlaces', () => {
  it.each([
    [{ layers: 30, kvHeads: 3, headDim: 64 }, 4_096, 737_280],
    [{ layers: 1, kvHeads: 1, headDim: 24 }, 4_096, 4_096],
    [{ layers: 3, kvHeads: 1, headDim: 24 }, 16_384, 16_384],
  ])('given %o and pages of %i bytes, then a place has %i bytes', (shape, pageBytes, placeBytes) => {
    expect(planBlockPlaces(shape, { pageBytes, kvTotalBytes: 10 * placeBytes + 1 })).toMatchObject({
      count: 10,
      placeBytes,
    });
  });
});

describe.runIf(VirtualMemory.pageBytes() !== undefined)('places for blocks', () => {
  const pageBytes = VirtualMemory.pageBytes()!;
  const SLOTS = 3;
  const PLACES = 5;
  const HEADS = 2 * 2 * 2; // keys and values of two heads in two layers

  it.each([64, 24])(
    'given heads of %i numbers and any saves, loads, releases and blocks carried as bytes, then each place and slot holds what it should, and exactly that is resident',
    (headDim) => {
      const pageTokens = kvPageTokens(headDim, pageBytes);
      const slotTokens = Math.ceil((3 * BLOCK_TOKENS) / pageTokens) * pageTokens;
      const shape = { layers: 2, slots: SLOTS, kvHeads: 2, headDim, slotTokens };
      const plan = planBlockPlaces(shape, { pageBytes, kvTotalBytes: 1e9 });
      const command = fc.record({
        kind: fc.constantFrom(
          'fill' as const,
          'save' as const,
          'load' as const,
          'empty' as const,
          'release' as const,
          'carry' as const,
        ),
        slot: fc.nat(SLOTS - 1),
        block: fc.nat(1),
        places: fc.uniqueArray(fc.nat(PLACES - 1), { minLength: 1, maxLength: 2 }),
      });
      fc.assert(
        fc.property(fc.array(command, { maxLength: 25 }), (commands) => {
          const offset = KvMemory.byteLength(shape);
          const memory = VirtualMemory.reserve(offset + PLACES * plan.placeBytes);
          const kv = new KvMemory(memory, { memoryInfo: 0n }, shape);
          const blocks = new KvBlockPlaces(memory, kv, { ...plan, count: PLACES, offset });
          const numbers = new Float32Array(koffi.view(memory.address, memory.byteLength));
          /** Positions of each slot, and of each place: one number for each, in every head. */
          const slots: number[][] = Array.from({ length: SLOTS }, () => []);
          const kept: (number[] | undefined)[] = new Array(PLACES).fill(undefined);
          let next = 1;
          for (const { kind, slot, block, places } of commands) {
            const own = slots[slot]!;
            if (kind === 'fill') {
              for (; own.length < 3 * BLOCK_TOKENS; next++) own.push(write(slot, own.length, next));
            } else if (kind === 'save' && own.length > 0) {
              blocks.save(slot, block, places);
              for (const [index, place] of places.entries()) {
                kept[place] = own.slice((block + index) * BLOCK_TOKENS, (block + index + 1) * BLOCK_TOKENS);
              }
            } else if (kind === 'load' && own.length === 0 && places.every((place) => kept[place] !== undefined)) {
              blocks.load(places, slot);
              slots[slot] = places.flatMap((place) => kept[place]!);
            } else if (kind === 'empty') {
              kv.release(slot);
              slots[slot] = [];
            } else if (kind === 'carry' && kept[places[0]!] !== undefined) {
              const [from, to = (from! + 1) % PLACES] = places;
              blocks.exchange.write(to, blocks.exchange.read(from!));
              kept[to] = kept[from!];
            } else if (kind === 'release') {
              blocks.release(places);
              for (const place of places) kept[place] = undefined;
            }
          }
          for (const [slot, values] of slots.entries()) {
            expect(values.map((_, position) => read(slot, position))).toEqual(values.map((value) => [value]));
          }
          const pages = slots.reduce((sum, { length }) => sum + Math.ceil((length * headDim * 4) / pageBytes), 0);
          const bytes = pages * pageBytes * HEADS + kept.filter(Boolean).length * plan.placeBytes;
          if (platform === 'linux') expect(residentBytes(memory)).toBe(bytes);
          // what is kept shows where it is loaded
          for (const [place, values] of kept.entries()) {
            if (values === undefined) continue;
            kv.release(0);
            blocks.load([place], 0);
            expect(values.map((_, position) => read(0, position))).toEqual(values.map((value) => [value]));
          }
          kv.close();

          function write(slot: number, position: number, value: number): number {
            for (const head of kv.headOffsets(slot)) {
              numbers.fill(value, head / 4 + position * headDim, head / 4 + (position + 1) * headDim);
            }
            return value;
          }

          function read(slot: number, position: number): number[] {
            return [
              ...new Set(
                kv
                  .headOffsets(slot)
                  .flatMap((head) => [
                    ...numbers.subarray(head / 4 + position * headDim, head / 4 + (position + 1) * headDim),
                  ]),
              ),
            ];
          }
        }),
        { numRuns: 40 },
      );
    },
  );
});
