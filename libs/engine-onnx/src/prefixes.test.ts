import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { StepLoop, violations } from '#lib/engine';
import { TextModel } from '#lib/tokens';
import { EventLog } from '../../engine/testing/event-log.js';
import { type RequestParts, requestOf } from '../../engine/testing/requests.js';
import { compileModel } from './compile/compile-model.js';
import { OnnxModelRunner } from './onnx-model-runner.js';

const TEXT_FILES = ['tokenizer.json', 'tokenizer_config.json', 'config.json', 'generation_config.json'];
/** Memory that three sequences of the context fill, so that they and what is kept contend for it. */
const CONTEXT_TOKENS = 160;
const KV_TOKENS = 3 * CONTEXT_TOKENS;

describe('prefixes on the tiny model llama', () => {
  const folder = fileURLToPath(new URL('../../../test/data/models/llama', import.meta.url));
  const storeFolder = mkdtempSync(join(tmpdir(), 'prefixes-'));
  const text = TextModel.load(new Map(TEXT_FILES.map((name) => [name, readFileSync(join(folder, name))])));
  let runner: OnnxModelRunner;

  beforeAll(async () => {
    const source = { kind: 'hf-folder', folder, id: folder, origin: 'folder', bytes: 0, contentKey: 'llama' } as const;
    const compiled = await compileModel({ source, weights: 'fp32', storeFolder });
    const graph = { ...compiled.manifest, path: compiled.graphPath };
    const { layers, kvHeads, headDim } = graph;
    const kvBytes = KV_TOKENS * 2 * layers * kvHeads * headDim * 4;
    // elsewhere a row that is computed alone has other last bits than in a chunk, and a near tie may go to another token
    const numerics = 'exact';
    runner = await OnnxModelRunner.load(graph, {
      threads: 1,
      kvBytes,
      contextTokens: CONTEXT_TOKENS,
      chunkTokens: 32,
      numerics,
    });
  });
  afterAll(async () => {
    await runner.close();
    rmSync(storeFolder, { recursive: true });
  });

  function startLoop(keepsPrefixes: boolean) {
    const log = new EventLog();
    const loop = new StepLoop(
      runner,
      { table: text.table, eosTokenIds: [] },
      {
        waitingGenerations: 64,
        prefixes: keepsPrefixes ? { modelFingerprint: 'llama' } : undefined,
        onEvent: log.listener,
      },
    );
    const ended = loop.run();
    const submit = (parts: RequestParts) => {
      const request = requestOf(parts);
      loop.submit({ ...request, sampling: request.sampling!, stop: request.stop! });
      return request.generationId;
    };
    const stop = async () => {
      loop.close();
      await ended;
      expect(violations(loop.snapshot())).toEqual([]);
    };
    return { loop, log, submit, stop, ended };
  }

  /** The tokens of each sequence. */
  async function withoutStore(parts: RequestParts): Promise<number[][]> {
    const { log, submit, stop } = startLoop(false);
    const id = submit(parts);
    const { sequences } = await log.end(id);
    await stop();
    return [...sequences].sort(([a], [b]) => a - b).map(([, { tokenIds }]) => tokenIds);
  }

  /** Some begin like others, and some go on from there. */
  const turn = fc.record({
    shared: fc.integer({ min: 0, max: 90 }),
    own: fc.array(fc.nat(250), { minLength: 1, maxLength: 30 }),
    salt: fc.constantFrom('a', 'b'),
    maxTokens: fc.integer({ min: 1, max: 30 }),
    sampling: fc.constantFrom({}, { temperature: 1, seed: 7 }),
    sequenceCount: fc.constantFrom(1, 1, 3),
    cancelsAfter: fc.constantFrom(undefined, undefined, 0, 3),
  });

  it('given any requests and cancels together over little memory, when prefixes are kept, then each has the tokens of a run without', async () => {
    const totals = { cached: 0, evicted: 0, preempted: 0, whole: 0 };
    await fc.assert(
      fc.asyncProperty(fc.array(turn, { minLength: 2, maxLength: 8 }), async (turns) => {
        const { loop, log, submit, stop, ended } = startLoop(true);
        const submitted = turns.map(({ shared, own, salt, cancelsAfter, maxTokens, sampling, sequenceCount }) => {
          const promptTokenIds = [...Array.from({ length: shared }, (_, i) => (i * 13) % 250), ...own];
          const parts = { promptTokenIds, cacheSalt: Buffer.from(salt), sampling, sequenceCount, stop: { maxTokens } };
          return { parts, cancelsAfter, id: submit(parts) };
        });
        const cancels = submitted.map(async ({ id, cancelsAfter }) => {
          if (cancelsAfter === undefined) return;
          await log.until(() => log.of(id).ends > 0 || log.sequence(id).tokenIds.length >= cancelsAfter);
          loop.cancel(id);
        });
        await Promise.race([Promise.all([...cancels, ...submitted.map(({ id }) => log.end(id))]), ended]);
        // all of them once more, one after another: what was kept is used
        for (const { parts } of submitted) {
          const { usage } = await log.end(submit(parts));
          if (usage?.cachedPromptTokens === usage?.promptTokens) totals.whole++;
        }
        const { cachedPromptTokens, evictedPrefixBlocks, preemptions, kvUsedBytes } = loop.state();
        expect(kvUsedBytes).toBe(0);
        totals.cached += cachedPromptTokens;
        totals.evicted += evictedPrefixBlocks;
        totals.preempted += preemptions;
        const again = [...log.outcomes.keys()].slice(submitted.length);
        await stop();
        for (const [index, { id, parts, cancelsAfter }] of submitted.entries()) {
          const alone = await withoutStore(parts);
          for (const [sequence, expected] of alone.entries()) {
            const came = log.sequence(id, sequence).tokenIds;
            if (cancelsAfter === undefined) expect(came).toEqual(expected);
            else expect(came).toEqual(expected.slice(0, came.length));
            expect(log.sequence(again[index]!, sequence).tokenIds).toEqual(expected);
          }
        }
      }),
      { numRuns: 40 },
    );
    expect(Math.min(totals.cached, totals.evicted, totals.whole)).toBeGreaterThan(0);
  }, 300_000);
});
