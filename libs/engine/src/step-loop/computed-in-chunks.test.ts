import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { syntheticTextFiles, TextModel } from '#lib/tokens';
import { EventLog } from '../../testing/event-log.js';
import { requestOf } from '../../testing/requests.js';
import { SyntheticModelRunner, type SyntheticModelRunnerOptions } from '../../testing/synthetic-model-runner.js';
import type { CheckedRequest } from './generation.js';
import { StepLoop } from './step-loop.js';

const { table } = TextModel.load(syntheticTextFiles());

/** Runs a request by itself on a model whose logits depend, where it is exact, on what was computed alone and what in a chunk. */
async function run(request: CheckedRequest, isExact: boolean, chunkTokens: number) {
  const log = new EventLog();
  const runner = new SyntheticModelRunner({ isExact, chunkTokens, allLogitsTokens: chunkTokens });
  const loop = new StepLoop(runner, { table, eosTokenIds: [63] }, { waitingGenerations: 1, onEvent: log.listener });
  const ended = loop.run();
  loop.submit(request);
  await log.end(request.generationId);
  loop.close();
  await ended;
  return log.sequence(request.generationId);
}

describe('a runner whose prompts are exact', () => {
  it('given any prompts that begin alike, and all once more, with kept blocks, kept ends and slots at rest, then each has what it has alone', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ shared: fc.nat(40), own: fc.array(fc.nat(9), { minLength: 1, maxLength: 20 }) }), {
          minLength: 2,
          maxLength: 6,
        }),
        fc.constantFrom(1, 4, 16),
        fc.integer({ min: 2, max: 12 }),
        fc.integer({ min: 1, max: 4 }),
        async (prompts, blockTokens, chunkTokens, slots) => {
          const requests = [...prompts, ...prompts].map(({ shared, own }, index) =>
            requestOf({
              generationId: `prompt ${index}`,
              promptTokenIds: [...Array.from({ length: shared }, (_, i) => (i * 3) % 10), ...own],
              // no output is ever a part of a prompt: what rows computed is not promised to be what chunks do
              sampling: { logitBias: Object.fromEntries(Array.from({ length: 10 }, (_, id) => [id, -100])) },
              stop: { maxTokens: 4, ignoreEos: true },
            }),
          );
          const together = await runAll(requests as CheckedRequest[], { blockTokens, chunkTokens, slots });
          for (const [index, request] of requests.entries()) {
            const [alone] = await runAll([request as CheckedRequest], { blockTokens, chunkTokens: 64, slots });
            expect(together[index]!.tokenIds).toEqual(alone!.tokenIds);
            expect(together[index]!.logprobs).toEqual(alone!.logprobs);
          }
        },
      ),
      { numRuns: 200 },
    ));
});

/** One request after another, in one loop. */
async function runAll(
  requests: readonly CheckedRequest[],
  options: Pick<SyntheticModelRunnerOptions, 'blockTokens' | 'chunkTokens' | 'slots'>,
) {
  const log = new EventLog();
  const runner = new SyntheticModelRunner({
    ...{ hasExactPrompts: true, restsSlots: true, blockPlaces: 500, endPlaces: 5 },
    ...options,
  });
  const prefixes = { modelFingerprint: 'synthetic' };
  const settings = { waitingGenerations: 1, prefixes, onEvent: log.listener };
  const loop = new StepLoop(runner, { table, eosTokenIds: [63] }, settings);
  const ended = loop.run();
  for (const request of requests) {
    loop.submit(request);
    await log.end(request.generationId);
  }
  loop.close();
  await ended;
  return requests.map(({ generationId }) => log.sequence(generationId));
}

describe('positions that are computed again', () => {
  it('given any point of a generation, when another goes on from there, then the rest is the same, on exact runners and others', () =>
    fc.assert(
      fc.asyncProperty(
        fc.record({
          promptTokenIds: fc.array(fc.nat(62), { minLength: 1, maxLength: 30 }),
          temperature: fc.constantFrom(0, 1),
          presencePenalty: fc.constantFrom(0, 1),
          seed: fc.nat(),
          maxTokens: fc.integer({ min: 2, max: 30 }),
          cut: fc.nat(),
          isExact: fc.boolean(),
          chunks: fc.tuple(fc.integer({ min: 3, max: 12 }), fc.integer({ min: 3, max: 12 })),
          reportLogprobs: fc.boolean(),
        }),
        async ({ promptTokenIds, maxTokens, cut, isExact, chunks, ...sampling }) => {
          const parts = { promptTokenIds, sampling, stop: { maxTokens } };
          const whole = await run(requestOf(parts) as CheckedRequest, isExact, chunks[0]);
          const at = 1 + (cut % (maxTokens - 1));
          const acceptedTokenIds = whole.tokenIds.slice(0, at);
          const rest = await run(requestOf({ ...parts, acceptedTokenIds }) as CheckedRequest, isExact, chunks[1]);
          expect(rest.tokenIds).toEqual(whole.tokenIds.slice(at));
          expect(rest.logprobs).toEqual(whole.logprobs.slice(at));
        },
      ),
      { numRuns: 500 },
    ));
});
