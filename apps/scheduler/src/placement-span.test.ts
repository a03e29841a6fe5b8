import { describe, expect, it } from 'vitest';
import { PlaceRequest } from '#lib/contracts';
import { createLogger, Tracing } from '#lib/observability';
import { type CandidateTerms, ExplainedWorker } from '#lib/placement';
import type { DeskAnswer } from './askers.js';
import { beginPlacement, endPlacement } from './placement-span.js';

const tracing = await Tracing.open(
  {
    ...{ disabled: true, sampler: 'always_off' as const, sampleRatio: 0, recorderBytes: 1_048_576 },
    ...{ queueSpans: 1, batchSpans: 1, intervalMs: 1, timeoutMs: 1 },
  },
  { name: 'scheduler', version: '0.0.0', instanceId: 'scheduler-0' },
  createLogger('test', { level: 'silent', format: 'json' }),
);

/** Terms of the workers of a fleet, which are gone when the decision is over. */
class PassingTerms implements CandidateTerms {
  isOver = false;

  get(workerId: string) {
    if (this.isOver) throw new Error('the decision is over');
    return { costMs: Number(workerId.slice(1)) };
  }

  only(workerIds: readonly string[]): CandidateTerms {
    return new Map(workerIds.map((workerId) => [workerId, this.get(workerId)]));
  }
}

function eventsOf(workerCount: number, chosenWorkerId: string, isOver = false) {
  const terms = new PassingTerms();
  const candidates = Array.from({ length: workerCount }, (_, index) => new ExplainedWorker(`w${index}`, '', terms));
  candidates.push(new ExplainedWorker('left', 'draining', new Map()));
  const record = beginPlacement(tracing, PlaceRequest.fromPartial({ generationId: 'g', modelId: 'm' }));
  const answer = {
    ...{ kind: 'placed', waitedMs: 0, strategy: 's', kvSources: [], term: 1 },
    lease: { leaseId: 'l', workerId: chosenWorkerId, cachedTokens: 0 },
    explanation: {
      strategy: 's',
      candidates,
      chosenWorkerId,
      chosenTerms: terms.get(chosenWorkerId),
      fetchedFromWorkerId: '',
      fetchedFromCacheIds: [],
    },
  } as unknown as DeskAnswer; // what a record tells of
  endPlacement(tracing, record, answer);
  terms.isOver = isOver;
  return { root: record.root, events: record.root.events.map(({ attributes }) => attributes) };
}

describe('the record of a placement', () => {
  it('given a few workers, then it tells of each, the chosen one first', () => {
    const { events } = eventsOf(2, 'w1');
    expect(events).toEqual([
      { 'hydra.worker.id': 'w1', 'hydra.placement.chosen': true, 'hydra.placement.costMs': 1 },
      { 'hydra.worker.id': 'w0', 'hydra.placement.chosen': false, 'hydra.placement.costMs': 0 },
      { 'hydra.worker.id': 'left', 'hydra.placement.chosen': false, 'hydra.placement.filtered_by': 'draining' },
    ]);
  });

  it('given a large fleet, then it tells of the chosen worker and fifteen others, and does not hold on to what is known of all', () => {
    const { root, events } = eventsOf(1_000, 'w700', true);
    const others = Array.from({ length: 15 }, (_, index) => [`w${index}`, false, index]);
    expect(
      events.map((event) => [
        event['hydra.worker.id'],
        event['hydra.placement.chosen'],
        event['hydra.placement.costMs'],
      ]),
    ).toEqual([['w700', true, 700], ...others]);
    expect(root.attributes['hydra.placement.candidates']).toBe(1_001);
  });
});
