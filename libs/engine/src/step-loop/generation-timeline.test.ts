import { describe, expect, it } from 'vitest';
import { syntheticTextFiles, TextModel } from '#lib/tokens';
import { EventLog } from '../../testing/event-log.js';
import { requestOf } from '../../testing/requests.js';
import { SyntheticModelRunner } from '../../testing/synthetic-model-runner.js';
import type { EngineEvent } from '../engine.js';
import type { EngineTimeline } from '../engine-timeline.js';
import type { CheckedRequest } from './generation.js';
import { GenerationTimeline } from './generation-timeline.js';
import { StepLoop } from './step-loop.js';

const { table } = TextModel.load(syntheticTextFiles());

/** Runs requests one after another on one loop; @returns their timelines */
async function timelinesOf(requests: readonly ReturnType<typeof requestOf>[]): Promise<EngineTimeline[]> {
  const log = new EventLog();
  const timelines: EngineTimeline[] = [];
  const onEvent = (event: EngineEvent) => {
    if (event.kind === 'finished') timelines.push(event.timeline as EngineTimeline);
    log.listener(event);
  };
  const runner = new SyntheticModelRunner({ chunkTokens: 8, blockPlaces: 16 });
  const prefixes = { modelFingerprint: 'synthetic' };
  const loop = new StepLoop(runner, { table, eosTokenIds: [] }, { waitingGenerations: 8, prefixes, onEvent });
  const ended = loop.run();
  for (const request of requests) {
    loop.submit(request as CheckedRequest);
    await log.end(request.generationId);
  }
  loop.close();
  await ended;
  return timelines;
}

describe('the timeline of a generation', () => {
  it('given a prompt of several chunks, when it is generated twice, then the chunks follow one another and the second finds its prefix', async () => {
    const prompt = { promptTokenIds: Array.from({ length: 20 }, (_, i) => i + 1), stop: { maxTokens: 3 } };
    const [first, second] = (await timelinesOf([requestOf(prompt), requestOf(prompt)])) as [
      EngineTimeline,
      EngineTimeline,
    ];
    expect(first.phases.map(({ kind }) => kind)).toEqual([
      ...['queued', 'prefix-lookup', 'prefill-chunk', 'prefill-chunk', 'prefill-chunk', 'decode'],
    ]);
    expect(first.phases).toMatchObject([
      {},
      { cachedTokens: 0 },
      { fromToken: 0, toToken: 8 },
      { fromToken: 8, toToken: 16 },
      { fromToken: 16, toToken: 20, chunks: 1 },
      { tokens: 3 },
    ]);
    expect(second.phases).toMatchObject([
      { kind: 'queued' },
      { cachedTokens: 16 },
      { fromToken: 16, toToken: 20 },
      { tokens: 3 },
    ]);
    for (const { phases, endUs } of [first, second]) {
      const starts = phases.map(({ startUs }) => startUs);
      expect(starts).toEqual([...starts].sort((a, b) => a - b));
      expect(phases.every((phase) => phase.endUs >= phase.startUs && phase.endUs <= endUs)).toBe(true);
    }
  });

  it('given more chunks than it takes, when they come, then the last one stands for the rest', () => {
    const timeline = new GenerationTimeline(0);
    for (let i = 0; i < 1_000; i++) timeline.chunk(0, i * 10, i * 10 + 5, i * 8, i * 8 + 8);
    const { phases } = timeline.finish(10_000, undefined);
    expect(phases).toHaveLength(256);
    expect(phases.at(-1)).toMatchObject({ chunks: 745, fromToken: 255 * 8, toToken: 8_000, endUs: 9_995 });
  });
});
