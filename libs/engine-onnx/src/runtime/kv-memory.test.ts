import { platform } from 'node:process';
import fc from 'fast-check';
import koffi from 'koffi';
import { describe, expect, it } from 'vitest';
import { residentBytes } from '../testing/resident-bytes.js';
import { KvMemory, kvBytesPerToken, kvPageTokens } from './kv-memory.js';
import { VirtualMemory } from './virtual-memory.js';

const PLACE = { memoryInfo: 0n };

describe('kvPageTokens', () => {
  it.each([
    [64, 4_096, 16],
    [64, 16_384, 64],
    [96, 4_096, 32],
    [128, 4_096, 8],
    [1_024, 4_096, 1],
  ])(
    'given heads of %i numbers and pages of %i bytes, then %i positions fill whole pages',
    (headDim, pageBytes, tokens) => {
      expect(kvPageTokens(headDim, pageBytes)).toBe(tokens);
    },
  );
});

describe.runIf(VirtualMemory.pageBytes() !== undefined)('KV memory', () => {
  const pageBytes = VirtualMemory.pageBytes()!;

  it('given any writes, copies, trims and releases of slots, then each slot holds what it would alone, and the pages of exactly that are resident', () => {
    const shape = { layers: 2, slots: 4, kvHeads: 2, headDim: 64, slotTokens: 4 * kvPageTokens(64, pageBytes) };
    const pageTokens = kvPageTokens(64, pageBytes);
    const slot = fc.nat(3);
    const command = fc.oneof(
      fc.record({ kind: fc.constant('write' as const), slot, tokens: fc.integer({ min: 1, max: shape.slotTokens }) }),
      fc.record({ kind: fc.constant('copy' as const), slot, to: slot }),
      fc.record({ kind: fc.constant('release' as const), slot }),
      fc.record({ kind: fc.constant('trim' as const), slot, pages: fc.nat(4) }),
    );
    fc.assert(
      fc.property(fc.array(command, { maxLength: 20 }), (commands) => {
        const memory = VirtualMemory.reserve(KvMemory.byteLength(shape));
        const kv = new KvMemory(memory, PLACE, shape);
        const held: number[][] = [[], [], [], []];
        let next = 1;
        for (const one of commands) {
          if (one.kind === 'write') {
            const own = held[one.slot]!;
            for (; own.length < one.tokens; own.push(next++)) write(kv, one.slot, own.length, next);
          } else if (one.kind === 'release') {
            kv.release(one.slot);
            held[one.slot] = [];
          } else if (one.kind === 'trim') {
            kv.trim(one.slot, one.pages * pageTokens);
            held[one.slot]!.splice(one.pages * pageTokens);
          } else if (one.slot !== one.to && held[one.to]!.length === 0) {
            kv.copy(one.slot, one.to, held[one.slot]!.length);
            held[one.to] = [...held[one.slot]!];
          }
        }
        for (const [index, values] of held.entries()) {
          expect(values.map((_, position) => read(kv, index, position))).toEqual(values.map((value) => [value]));
        }
        const most = held.map(({ length }) => Math.ceil(length / pageTokens) * pageTokens);
        const bytes = most.reduce((sum, tokens) => sum + tokens, 0) * kvBytesPerToken(shape);
        if (platform === 'linux') expect(residentBytes(memory)).toBe(bytes);
        kv.close();
      }),
      { numRuns: 200 },
    );

    /** One number for a position, in every head of every layer. */
    function write(kv: KvMemory, at: number, position: number, value: number): void {
      for (const floats of heads(kv, at)) floats[position * shape.headDim] = value;
    }

    function read(kv: KvMemory, at: number, position: number): number[] {
      return [...new Set(heads(kv, at).map((floats) => floats[position * shape.headDim]!))];
    }

    function heads(kv: KvMemory, at: number): Float32Array[] {
      const sides = [0, 1].flatMap((layer) => [kv.tensor(layer, 'key', at, 1), kv.tensor(layer, 'value', at, 1)]);
      return sides.flatMap(({ memory }) => {
        if (!('address' in memory)) throw new Error('KV lies at an address');
        const floats = new Float32Array(koffi.view(memory.address, memory.byteLength));
        const headFloats = shape.slotTokens * shape.headDim;
        return [floats.subarray(0, headFloats), floats.subarray(headFloats)];
      });
    }
  });
});
