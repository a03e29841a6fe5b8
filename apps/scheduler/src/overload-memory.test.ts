import { once } from 'node:events';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { PlaceRequest, PlaceStreamRequest, type PlaceStreamResponse } from '#lib/contracts';
import { SchedulerFixture, servedModel } from './scheduler.test-support.js';

const WORKERS = 4;
const SLOTS = 4;
const QUEUE_LENGTH = 64;
/** Asked at once and then waited for: ten times what the workers and the queue take. */
const BATCH = 10 * (WORKERS * SLOTS + QUEUE_LENGTH);
const BATCHES = 5;
const PREFIX_HASHES = Buffer.concat([Buffer.alloc(16, 1), Buffer.alloc(16, 2)]);
/** What is kept of one refused request takes 2 KB at least: its ids, its hashes, its promise. */
const ALLOWED_BYTES_PER_REQUEST = 200;

setFlagsFromString('--expose-gc'); // for contexts that are made from now on
const collect: (options: { type: 'major'; execution: 'sync'; flavor: 'last-resort' }) => void = runInNewContext('gc');

let fixture: SchedulerFixture;
beforeAll(async () => {
  const settings = { queueLength: QUEUE_LENGTH, workerTimeoutMs: 600_000 }; // its workers report once
  fixture = await SchedulerFixture.start(settings, [{ id: 'm' }], { recorderBytes: 100_000 });
  const models = [servedModel({ maxRunningSequences: SLOTS })];
  for (let worker = 0; worker < WORKERS; worker++) (await fixture.join(`w${worker}`, { models })).report();
});
afterAll(() => fixture?.close());

it('given three times as many refused requests, when all garbage is collected, then no more is left of them', async () => {
  await overload(BATCHES); // compiles, fills the flight recorder
  const beforeBytes = liveBytes();
  const refused = await overload(BATCHES);
  const onceBytes = liveBytes() - beforeBytes;
  const refusedMore = await overload(2 * BATCHES);
  const thriceBytes = liveBytes() - beforeBytes;
  expect(refused).toBeGreaterThan(0.8 * BATCHES * BATCH);
  expect(refusedMore).toBeGreaterThan(0.8 * 2 * BATCHES * BATCH);
  expect(onceBytes / refused).toBeLessThan(ALLOWED_BYTES_PER_REQUEST);
  expect((thriceBytes - onceBytes) / refusedMore).toBeLessThan(ALLOWED_BYTES_PER_REQUEST);
}, 120_000);

/** Each batch: its requests come at once, what got a place gives it back, what waits takes it, until nobody waits. @returns refusals */
async function overload(batches: number): Promise<number> {
  const stream = fixture.placement.placeStream();
  stream.on('error', () => {}); // it is cancelled at the end
  let refused = 0;
  let answered = 0;
  stream.on('data', ({ answer }: PlaceStreamResponse) => {
    answered++;
    const outcome = answer?.$case === 'response' ? answer.value.outcome : undefined;
    if (outcome?.$case === 'refused') refused++;
    if (outcome?.$case === 'lease') {
      const { leaseId } = outcome.value;
      const release = { leaseId, outcome: 'finished', usage: undefined, ttftUs: 20_000, keepTrace: false };
      stream.write(PlaceStreamRequest.create({ ask: { $case: 'release', value: { releases: [release] } } }));
    }
    stream.emit('answered');
  });
  for (let batch = 0; batch < batches; batch++) {
    for (let call = 0; call < BATCH; call++) {
      const callId = batch * BATCH + call + 1;
      const id = `${batches}-${callId}-${performance.now()}`;
      const request = PlaceRequest.fromPartial({
        ...{ generationId: `generation-${id}`, requestId: `request-${id}`, tenantId: `t${call % 8}`, modelId: 'm' },
        ...{ promptTokens: 40, maxOutputTokens: 20, sequenceCount: 1, prefixHashes: PREFIX_HASHES },
      });
      stream.write(
        PlaceStreamRequest.create({ callId, ask: { $case: 'place', value: { request, timeoutMs: 60_000 } } }),
      );
    }
    while (answered < (batch + 1) * BATCH) await once(stream, 'answered');
  }
  stream.cancel();
  return refused;
}

function liveBytes(): number {
  collect({ type: 'major', execution: 'sync', flavor: 'last-resort' });
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
