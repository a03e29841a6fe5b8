import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { OnnxModelRunner } from './onnx-model-runner.js';
import { KvMemoryTooSmallError, type OnnxModelRunnerOptions } from './runner-limits.js';
import type { DecoderGraph } from './runtime/decoder-graph.js';
import { VirtualMemory } from './runtime/virtual-memory.js';
import { writeTinyDecoder } from './testing/tiny-decoder.js';

const TOKEN_BYTES = 2 * 2 * 16 * 4; // (keys and values) × layers × headDim × float32, one KV head
/** By which slots grow here, and a whole slot: the context of 64 tokens in whole pages. */
const PAGE_TOKENS = (VirtualMemory.pageBytes() ?? 64 * 64) / (16 * 4);
const SLOT_BYTES = Math.ceil(64 / PAGE_TOKENS) * PAGE_TOKENS * TOKEN_BYTES;
const SLOTS = 4;

describe('the ONNX model runner', () => {
  const folder = mkdtempSync(join(tmpdir(), 'onnx-model-runner-'));
  let graph: DecoderGraph;
  let runner: OnnxModelRunner;
  const load = async (options: Partial<OnnxModelRunnerOptions> = {}) => {
    runner = await OnnxModelRunner.load(graph, { threads: 1, kvBytes: SLOTS * SLOT_BYTES, ...options });
    return runner;
  };
  beforeAll(() => {
    graph = writeTinyDecoder(join(folder, 'tiny.onnx'));
  });
  afterEach(() => runner?.close());
  afterAll(() => rmSync(folder, { recursive: true }));

  /** Logits after `tokenIds`, computed in one chunk into a slot of their own. */
  async function alone(tokenIds: readonly number[], slot = 0): Promise<number[]> {
    const logits = await runner.prefill({ slot, position: 0, tokenIds, logitsFor: 'last' });
    return [...logits!.data];
  }

  it('has as many slots as the memory holds, and says what they cost', async () => {
    await load({ kvBytes: SLOTS * SLOT_BYTES + SLOT_BYTES - 1, contextTokens: 64, chunkTokens: 16, decodeRows: 3 });
    expect(runner.limits).toEqual({
      contextTokens: 64,
      vocabularySize: 40,
      slots: SLOTS,
      decodeRows: 3,
      chunkTokens: 16,
      chunkBesideDecode: { leastTokens: 20, tokensPerRow: 2.5 },
      promptRun: { mostPrompts: 3, mostRows: 32 },
      allLogitsTokens: 16,
      kvBytesPerToken: TOKEN_BYTES,
      kvTotalBytes: SLOTS * SLOT_BYTES,
      kvPageTokens: PAGE_TOKENS,
      isExact: false,
      hasExactPrompts: false,
    });
  });

  it('given a smaller context, when loaded, then chunks are not longer than it', async () => {
    await load({ contextTokens: 16 });
    expect(runner.limits).toMatchObject({ contextTokens: 16, slots: SLOTS, chunkTokens: 16 });
  });

  it('given a bound of sequences, when loaded, then no more are run at once', async () => {
    await load({ maxSequences: 3 });
    expect(runner.limits).toMatchObject({ slots: 3, decodeRows: 3, kvTotalBytes: SLOTS * SLOT_BYTES });
  });

  it('given memory for less than one sequence, when loaded, then the error says what would fit', async () => {
    const refused = load({ kvBytes: SLOT_BYTES - 1, contextTokens: 64 });
    await expect(refused).rejects.toThrow(KvMemoryTooSmallError);
    await expect(refused).rejects.toThrow(
      `${SLOT_BYTES - 1} bytes of KV memory do not hold one sequence of 64 tokens, which takes ${SLOT_BYTES} bytes`,
    );
  });

  it('given more memory for KV than there is, when loaded, then the error says to lower it', async () => {
    await expect(load({ kvBytes: 2 ** 50 })).rejects.toThrow(`There are not ${2 ** 50} bytes of memory for KV`);
  });

  it('given a context beyond the model, when loaded, then it is refused', async () => {
    await expect(load({ contextTokens: 65 })).rejects.toThrow('the model computes 1 to 64 positions');
  });

  it('given a graph with other layers than said, when loaded, then the error names the tensors', async () => {
    await expect(
      OnnxModelRunner.load({ ...graph, layers: 3 }, { threads: 1, kvBytes: 2 * SLOT_BYTES }),
    ).rejects.toThrow('missing past_key_2, past_value_2');
  });

  it('gives no logits for a chunk that does not want them', async () => {
    await load();
    expect(await runner.prefill({ slot: 0, position: 0, tokenIds: [1, 2], logitsFor: 'none' })).toBeUndefined();
  });

  it('given any cuts, when a prompt is computed in chunks, then its logits are those of the whole', async () => {
    await load();
    await fc.assert(
      fc.asyncProperty(
        tokens(2, 40),
        fc.array(fc.integer({ min: 1, max: 7 }), { maxLength: 8 }),
        async (ids, sizes) => {
          const whole = await alone(ids, 1);
          let position = 0;
          for (const size of sizes) {
            if (position + size >= ids.length) break;
            await runner.prefill({
              slot: 2,
              position,
              tokenIds: ids.slice(position, position + size),
              logitsFor: 'none',
            });
            position += size;
          }
          const rest = { slot: 2, position, tokenIds: ids.slice(position), logitsFor: 'last' } as const;
          expectClose([...(await runner.prefill(rest))!.data], whole);
        },
      ),
      { numRuns: 50 },
    );
  });

  it('given any schedule of sequences over slots, when batched and interleaved, then each is as if alone', async () => {
    await load();
    const vocabularySize = runner.limits.vocabularySize;
    await fc.assert(
      fc.asyncProperty(
        fc.array(tokens(1, 12), { minLength: SLOTS, maxLength: SLOTS }),
        fc.array(fc.record({ order: fc.shuffledSubarray([0, 1, 2, 3], { minLength: 1 }), isPrefill: fc.boolean() }), {
          maxLength: 12,
        }),
        fc.infiniteStream(fc.nat({ max: 39 })),
        async (prompts, steps, next) => {
          const histories: number[][] = prompts.map(() => []);
          const seen: { history: number[]; logits: number[] }[] = [];
          for (const { order, isPrefill } of steps) {
            if (isPrefill) {
              const slot = order[0]!;
              const position = histories[slot]!.length;
              const tokenIds = prompts[slot]!.slice(0, 64 - position);
              if (tokenIds.length === 0) continue;
              histories[slot]!.push(...tokenIds);
              const logits = await runner.prefill({ slot, position, tokenIds, logitsFor: 'last' });
              seen.push({ history: [...histories[slot]!], logits: [...logits!.data] });
              continue;
            }
            const rows = order
              .filter((slot) => histories[slot]!.length < 64)
              .map((slot) => ({ slot, position: histories[slot]!.length, tokenId: next.next().value! }));
            if (rows.length === 0) continue;
            const { data } = await runner.decode(rows);
            rows.forEach(({ slot, tokenId }, row) => {
              histories[slot]!.push(tokenId);
              const logits = [...data.subarray(row * vocabularySize, (row + 1) * vocabularySize)];
              seen.push({ history: [...histories[slot]!], logits });
            });
          }
          for (const { history, logits } of seen) expectClose(logits, await alone(history));
        },
      ),
      { numRuns: 60 },
    );
  });

  it('given rows in any order of slots, when decoded, then logits come in the order of the rows', async () => {
    await load();
    const histories = [[3], [7, 8], [9, 1, 2]];
    for (const [slot, tokenIds] of histories.entries()) {
      await runner.prefill({ slot, position: 0, tokenIds, logitsFor: 'none' });
    }
    const rows = [2, 0, 1].map((slot) => ({ slot, position: histories[slot]!.length, tokenId: 5 }));
    const { rows: count, data } = await runner.decode(rows);
    const batched = rows.map((_, row) => [...data.subarray(row * 40, (row + 1) * 40)]);
    expect(count).toBe(3);
    for (const [row, { slot }] of rows.entries()) expectClose(batched[row]!, await alone([...histories[slot]!, 5], 3));
  });

  it('given more ranges of slots than bindings are kept, when decoded, then all work again', async () => {
    await load({ kvBytes: 16 * SLOT_BYTES, decodeRows: 16 });
    const row = (slot: number) => ({ slot, position: 0, tokenId: 4 });
    const expected = await alone([4]);
    for (let first = 0; first < 16; first++) {
      for (let count = 1; first + count <= 16; count++) {
        const { data } = await runner.decode(Array.from({ length: count }, (_, index) => row(first + index)));
        expectClose([...data.subarray((count - 1) * 40)], expected);
      }
    }
    expectClose([...(await runner.decode([row(0)])).data], expected);
  });

  it('given slots that fill, move and close, then a moved sequence goes on and a slot that was left is as if it never was', async () => {
    await load({ kvBytes: 64 * SLOT_BYTES, maxSequences: 64 });
    const fill = (slot: number) => runner.prefill({ slot, position: 0, tokenIds: [1, 2, 3], logitsFor: 'none' });
    for (let slot = 0; slot < 64; slot++) if (slot !== 40) await fill(slot);
    for (let slot = 1; slot < 63; slot++) runner.closeSlot(slot);
    runner.moveSlot?.({ from: 63, to: 5, tokens: 3 });
    const expected = await alone([1, 2, 3, 4]);
    expectClose([...(await runner.decode([{ slot: 5, position: 3, tokenId: 4 }])).data], expected);
    const empty = await runner.decode([{ slot: 63, position: 1, tokenId: 4 }]);
    expectClose([...empty.data], [...(await runner.decode([{ slot: 40, position: 1, tokenId: 4 }])).data]);
  });

  it.each([
    ['a slot that does not exist', { slot: SLOTS, position: 0, tokenIds: [1] }, 'Slot 4 is not one of 0 to 3'],
    ['positions beyond the context', { slot: 0, position: 63, tokenIds: [1, 2] }, 'Positions 63 to 64'],
    ['a negative position', { slot: 0, position: -1, tokenIds: [1] }, 'Positions -1 to -1'],
    [
      'a token beyond the vocabulary',
      { slot: 0, position: 0, tokenIds: [1, 40] },
      'Token 40 is not in a vocabulary of 40',
    ],
    ['no token', { slot: 0, position: 0, tokenIds: [] }, 'A chunk has 1 to 64 tokens, not 0'],
  ])('given %s, when prefilled, then it is refused and the runner goes on', async (_, chunk, message) => {
    await load();
    await expect(runner.prefill({ ...chunk, logitsFor: 'last' })).rejects.toThrow(message);
    expect(await alone([1])).toHaveLength(40);
  });

  it('given two rows on a slot, or more rows than allowed, when decoded, then it is refused', async () => {
    await load({ decodeRows: 2 });
    const row = { slot: 0, position: 0, tokenId: 1 };
    await expect(runner.decode([row, row])).rejects.toThrow('Two rows of a decode have the same slot.');
    await expect(runner.decode([row, row, row])).rejects.toThrow('A decode has 1 to 2 rows, not 3.');
    await expect(runner.decode([])).rejects.toThrow('A decode has 1 to 2 rows, not 0.');
  });

  it('given a pass that runs, when another is asked, then that is refused', async () => {
    await load();
    const chunk = { slot: 0, position: 0, tokenIds: [1, 2, 3], logitsFor: 'last' } as const;
    const first = runner.prefill(chunk);
    await expect(runner.prefill(chunk)).rejects.toThrow('takes one pass at a time');
    expect((await first)!.rows).toBe(1);
  });

  it('given a pass that runs, when closed, then it ends first and later passes are refused', async () => {
    await load();
    const pass = runner.prefill({ slot: 0, position: 0, tokenIds: [1], logitsFor: 'last' }).catch(() => undefined);
    await Promise.all([runner.close(), runner.close()]);
    await pass;
    await expect(runner.prefill({ slot: 0, position: 0, tokenIds: [1], logitsFor: 'last' })).rejects.toThrow('closed');
  });

  it('given 50 runners loaded, used and closed, then memory does not grow with them', async () => {
    const once = async () => {
      await load({ kvBytes: 512 * SLOT_BYTES, maxSequences: 512, decodeRows: 32 });
      for (let slot = 0; slot < 512; slot++) {
        await runner.prefill({ slot, position: 0, tokenIds: [slot % 40], logitsFor: 'none' });
      }
      await runner.close();
    };
    for (let warmUp = 0; warmUp < 5; warmUp++) await once();
    const before = process.memoryUsage.rss();
    for (let count = 0; count < 50; count++) await once();
    expect(process.memoryUsage.rss() - before).toBeLessThan(100 * 1024 * 1024);
  });
});

function tokens(minLength: number, maxLength: number): fc.Arbitrary<number[]> {
  return fc.array(fc.nat({ max: 39 }), { minLength, maxLength });
}

/** Equal but for the order of float32 additions, which depends on the shape of a pass. */
function expectClose(actual: readonly number[], expected: readonly number[]): void {
  expect(actual).toHaveLength(expected.length);
  const difference = Math.max(...actual.map((value, index) => Math.abs(value - expected[index]!)));
  expect(difference).toBeLessThan(1e-4);
}
