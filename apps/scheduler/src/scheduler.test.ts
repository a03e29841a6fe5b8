import { once } from 'node:events';
import { type ClientDuplexStream, type ServiceError, status } from '@grpc/grpc-js';
import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  type FleetSnapshot,
  KvSourceKind,
  type Lease,
  LeaseRelease,
  PlaceRequest,
  PlaceStreamRequest,
  type PlaceStreamResponse,
  RefusalReason,
  type Refused,
} from '#lib/contracts';
import type { PlacementStrategy } from '#lib/placement';
import { strategyToken } from './scheduler.module.js';
import { FakeWorker, type PendingPlace, SchedulerFixture, servedModel, stored } from './scheduler.test-support.js';

let fixture: SchedulerFixture;
afterEach(() => fixture.close());

const ONE_AT_A_TIME = { waitingPerWorker: 0 };

/** Resolves when as many wait as said: the snapshot after each change tells. */
async function waiting(count: number): Promise<void> {
  await snapshotWhere((snapshot) => snapshot.waitingGenerations === count);
}

async function snapshotWhere(isWanted: (snapshot: FleetSnapshot) => boolean): Promise<FleetSnapshot> {
  const watch = fixture.fleet.watch({ watcherId: 'test' });
  watch.on('error', () => {}); // CANCELLED, by us
  return new Promise((resolve) => {
    watch.on('data', (snapshot: FleetSnapshot) => {
      if (!isWanted(snapshot)) return;
      watch.cancel();
      resolve(snapshot);
    });
  });
}

/** On a busy machine the margin before a call's deadline may be missed now and then, but not every time. */
async function refusedInTime(ask: () => PendingPlace): Promise<Refused> {
  for (let triesLeft = 50; ; triesLeft--) {
    const outcome = await ask().refusal.catch((error: ServiceError) => error);
    if (!(outcome instanceof Error)) return outcome;
    if (outcome.code !== status.DEADLINE_EXCEEDED || triesLeft === 0) throw outcome;
  }
}

describe('the scheduler', () => {
  it('gives a lease on a worker that joined, renews it and takes it back', async () => {
    fixture = await SchedulerFixture.start(ONE_AT_A_TIME);
    await fixture.join('w0', { target: '127.0.0.1:7777', workerEpoch: 42 });
    const lease = await fixture.placed({ generationId: 'g', attempt: 2 });
    expect(lease).toMatchObject({ workerId: 'w0', workerEpoch: 42, target: '127.0.0.1:7777', attempt: 2 });
    expect(lease.expiresAtUnixMs).toBeGreaterThan(Date.now());
    expect(await fixture.renew([lease.leaseId, 'unknown'])).toEqual(['unknown']);
    await fixture.release(lease);
    expect(await fixture.renew([lease.leaseId])).toEqual([lease.leaseId]);
  });

  it('given a full worker, when it gets room, then the request that waited is placed and says how long it did', async () => {
    fixture = await SchedulerFixture.start(ONE_AT_A_TIME);
    await fixture.join('w0');
    const first = await fixture.placed({});
    const second = fixture.place({});
    await waiting(1);
    await fixture.release(first);
    const { lease, waitedUs } = await second.answer;
    expect(lease.workerId).toBe('w0');
    expect(waitedUs).toBeGreaterThan(0);
  });

  it('answers before the deadline of the call, and not later than the longest wait', async () => {
    fixture = await SchedulerFixture.start({ ...ONE_AT_A_TIME, queueTimeoutMs: 300 });
    await fixture.join('w0');
    await fixture.placed({});
    const byDeadline = await refusedInTime(() => fixture.place({}, 200));
    expect(byDeadline).toMatchObject({ reason: RefusalReason.WAIT_EXPIRED });
    expect(byDeadline.retryAfterMs).toBeGreaterThan(0);
    expect((await fixture.place({}).refusal).reason).toBe(RefusalReason.WAIT_EXPIRED);
    const deadline = fixture.place({ ttftDeadlineUnixMs: Date.now() + 100 });
    expect((await deadline.refusal).reason).toBe(RefusalReason.DEADLINE_UNREACHABLE);
  });

  it('given a caller that leaves, then it leaves the queue', async () => {
    fixture = await SchedulerFixture.start(ONE_AT_A_TIME);
    await fixture.join('w0');
    const first = await fixture.placed({});
    const left = fixture.place({});
    const stays = fixture.place({});
    await waiting(2);
    left.cancel();
    await waiting(1);
    await fixture.release(first);
    expect((await stays.answer).lease.workerId).toBe('w0');
    await expect(left.response).rejects.toMatchObject({ code: status.CANCELLED });
  });

  it('refuses when the queue is full, and when no worker could ever hold the request', async () => {
    fixture = await SchedulerFixture.start({ ...ONE_AT_A_TIME, queueLength: 1 });
    await fixture.join('w0');
    await fixture.placed({});
    fixture.place({});
    await waiting(1);
    expect((await fixture.place({}).refusal).reason).toBe(RefusalReason.QUEUE_FULL);
    const tooLong = await fixture.place({ promptTokens: 8_000, maxOutputTokens: 500 }).refusal;
    expect(tooLong).toMatchObject({ reason: RefusalReason.UNSERVICEABLE, retryAfterMs: 0 });
    expect((await fixture.place({ attempt: 4 }).refusal).reason).toBe(RefusalReason.ATTEMPTS_EXHAUSTED);
  });

  it('refuses a model nobody knows at once, and waits for one that is configured', async () => {
    fixture = await SchedulerFixture.start();
    expect((await fixture.place({ modelId: 'other' }).refusal).reason).toBe(RefusalReason.NO_WORKER);
    const early = fixture.place({});
    await waiting(1);
    await fixture.join('w0');
    expect((await early.answer).lease.workerId).toBe('w0');
  });

  it('given a worker that comes with work of an earlier scheduler, then who waits gets no place before its first report', async () => {
    fixture = await SchedulerFixture.start({ ...ONE_AT_A_TIME, reportIntervalMs: 30_000, workerTimeoutMs: 60_000 });
    const waits = fixture.place({});
    await waiting(1);
    const worker = new FakeWorker(fixture.fleet.join());
    worker.register({ workerId: 'w0' });
    worker.report({ runningGenerations: 1 });
    const snapshot = await snapshotWhere(({ members }) => members[0]?.report !== undefined);
    expect(snapshot.waitingGenerations).toBe(1);
    worker.report();
    expect((await waits.answer).lease.workerId).toBe('w0');
  });

  it('refuses a request that makes no sense, by status', async () => {
    fixture = await SchedulerFixture.start();
    const calls = [
      { modelId: '' },
      { generationId: '' },
      { priority: 11 },
      ...[3, 17, 4_097 * 16].map((bytes) => ({ prefixHashes: Buffer.alloc(bytes) })),
    ];
    for (const request of calls) {
      await expect(fixture.place(request).response).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
    }
  });

  it('given a worker whose stream dies, then its leases end at once and who waits goes elsewhere', async () => {
    fixture = await SchedulerFixture.start(ONE_AT_A_TIME);
    const dying = await fixture.join('w0');
    const lost = await fixture.placed({});
    const waits = fixture.place({ avoidWorkerIds: ['w0'] });
    await waiting(1);
    dying.kill();
    await snapshotWhere((snapshot) => snapshot.members.length === 0);
    expect(await fixture.renew([lost.leaseId])).toEqual([lost.leaseId]);
    await fixture.join('w1');
    expect((await waits.answer).lease.workerId).toBe('w1');
  });

  it('given a worker that is silent, then it leaves, and its stream ends so that it may join again', async () => {
    fixture = await SchedulerFixture.start({ ...ONE_AT_A_TIME, workerTimeoutMs: 150 });
    const silent = await fixture.join('w0');
    const lease = await fixture.placed({});
    expect(await silent.ended).toMatchObject({ code: status.DEADLINE_EXCEEDED });
    expect(await fixture.renew([lease.leaseId])).toEqual([lease.leaseId]);
    const again = await fixture.join('w0');
    const reports = setInterval(() => again.report(), 30);
    await snapshotWhere(({ members }) => (members[0]?.report?.sequence ?? 0) > 10);
    clearInterval(reports);
  });

  it('given a process that was stopped for longer than workers may be silent, then it keeps those that speak again', async () => {
    fixture = await SchedulerFixture.start({ ...ONE_AT_A_TIME, workerTimeoutMs: 300, leaseTtlMs: 400 });
    const worker = await fixture.join('w0');
    const lease = await fixture.placed({});
    const reports = setInterval(() => worker.report({ runningGenerations: 1 }), 20);
    await snapshotWhere(({ members }) => (members[0]?.report?.sequence ?? 0) > 0);
    const lastBefore = (await snapshotWhere(({ members }) => members.length === 1)).members[0]!.report!.sequence;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_000); // nothing of this process runs, as under SIGSTOP
    expect(await fixture.renew([lease.leaseId])).toEqual([]);
    await snapshotWhere(({ members }) => (members[0]?.report?.sequence ?? 0) > lastBefore + 2);
    clearInterval(reports);
    worker.stream.cancel();
    expect(await worker.ended).toMatchObject({ code: status.CANCELLED }); // by us, not by the scheduler
  });

  it('given a strategy that throws, then its requests are refused for now, are counted, and everything goes on', async () => {
    fixture = await SchedulerFixture.start(ONE_AT_A_TIME);
    const strategy = fixture.scheduler.app.get<PlacementStrategy>(strategyToken('predicted-ttft'), { strict: false });
    const fault = vi.spyOn(strategy, 'choose').mockImplementation(() => {
      throw new Error('own code has faults');
    });
    const metricsBefore = await (await fixture.get('/metrics')).text();
    expect(metricsBefore).toContain('hydra_scheduler_strategy_faults_total{model="m",strategy="predicted-ttft"} 0');
    expect(metricsBefore).toContain('hydra_scheduler_refusals_total{model="m",reason="strategy-failed"} 0');
    const waits = [fixture.place({}), fixture.place({})];
    await waiting(2);
    await fixture.join('w0');
    for (const refusal of [await waits[0]!.refusal, await waits[1]!.refusal, await fixture.place({}).refusal]) {
      expect(refusal.message).toContain('strategy predicted-ttft failed');
      expect(refusal.retryAfterMs).toBeGreaterThan(0);
    }
    const metrics = await (await fixture.get('/metrics')).text();
    expect(metrics).toContain('hydra_scheduler_strategy_faults_total{model="m",strategy="predicted-ttft"} 3');
    fault.mockRestore();
    expect((await fixture.placed({})).workerId).toBe('w0');
  });

  it('lets a lost lease expire, and gives its place away', async () => {
    fixture = await SchedulerFixture.start({ ...ONE_AT_A_TIME, leaseTtlMs: 150 });
    await fixture.join('w0');
    const lost = await fixture.placed({});
    const next = await fixture.placed({});
    expect(next.leaseId).not.toBe(lost.leaseId);
  });

  it('given a larger epoch, then the old stream is told and its leases end; a smaller one is refused', async () => {
    fixture = await SchedulerFixture.start(ONE_AT_A_TIME);
    const old = await fixture.join('w0', { workerEpoch: 5 });
    const lost = await fixture.placed({});
    await fixture.join('w0', { workerEpoch: 6 });
    expect(await old.next('superseded')).toMatchObject({ directive: { value: { byEpoch: 6 } } });
    expect(await old.ended).toMatchObject({ code: status.OK });
    expect(await fixture.renew([lost.leaseId])).toEqual([lost.leaseId]);
    expect((await fixture.placed({})).workerEpoch).toBe(6);
    await expect(fixture.join('w0', { workerEpoch: 5 })).rejects.toThrow('superseded');
  });

  it('given the same epoch on a new stream, then leases live on, and the end of the old stream takes nobody out', async () => {
    fixture = await SchedulerFixture.start(ONE_AT_A_TIME);
    const first = await fixture.join('w0');
    const lease = await fixture.placed({});
    await fixture.join('w0');
    await first.ended;
    expect(await fixture.renew([lease.leaseId])).toEqual([]);
  });

  it('given a worker that refused a lease, then it gets nothing more until it reports', async () => {
    fixture = await SchedulerFixture.start({ waitingPerWorker: 4 });
    const worker = await fixture.join('w0');
    const lease = await fixture.placed({});
    await fixture.release(lease, 'refused');
    const waits = fixture.place({ attempt: 1 });
    await waiting(1);
    worker.report();
    expect((await waits.answer).lease.attempt).toBe(1);
  });

  it('places nothing on a draining worker', async () => {
    fixture = await SchedulerFixture.start();
    const draining = await fixture.join('w0');
    draining.stream.write({ event: { $case: 'drainStarted', value: { graceMs: 0 } } });
    await fixture.join('w1');
    await snapshotWhere(({ members }) => members.length === 2);
    expect(new Set([(await fixture.placed({})).workerId, (await fixture.placed({})).workerId])).toEqual(
      new Set(['w1']),
    );
  });

  it('ends a stream that does not begin with a registration', async () => {
    fixture = await SchedulerFixture.start();
    const worker = new FakeWorker(fixture.fleet.join());
    worker.report();
    expect(await worker.ended).toMatchObject({ code: status.INVALID_ARGUMENT });
  });

  it('explains a decision when asked', async () => {
    fixture = await SchedulerFixture.start({}, [{ id: 'm', strategy: 'least-loaded' }]);
    await fixture.join('w0');
    await fixture.join('w1');
    const { explanation } = await fixture.place({ explain: true }).response;
    expect(explanation).toMatchObject({ strategy: 'least-loaded', chosenWorkerId: 'w0' });
    expect(explanation?.candidates.map((one) => one.terms)).toEqual(
      Array(2).fill({ occupancy: 0, load: 0, leasedPromptTokens: 0 }),
    );
  });

  it('places each model by its strategy', async () => {
    const models = [
      { id: 'm', strategy: 'round-robin' },
      { id: 'n', strategy: 'consistent-hash' },
    ];
    fixture = await SchedulerFixture.start({}, models);
    const served = models.map(({ id }) => servedModel({ modelId: id, maxRunningSequences: 8 }));
    await fixture.join('w0', { models: served });
    const { explanation } = await fixture.place({ explain: true, modelId: 'n' }).response;
    expect(explanation?.strategy).toBe('consistent-hash');
    expect((await fixture.place({ explain: true }).response).explanation?.strategy).toBe('round-robin');
  });

  it('sends a watcher a snapshot at once and one after changes, with growing numbers', async () => {
    fixture = await SchedulerFixture.start();
    const watch = fixture.fleet.watch({ watcherId: 'test' });
    watch.on('error', () => {});
    const snapshots: FleetSnapshot[] = [];
    watch.on('data', (snapshot: FleetSnapshot) => {
      snapshots.push(snapshot);
      watch.emit('snapshot');
    });
    await once(watch, 'snapshot');
    expect(snapshots[0]).toMatchObject({ members: [], waitingGenerations: 0 });
    await fixture.join('w0');
    await fixture.placed({});
    while (snapshots.at(-1)?.members[0]?.leases !== 1) await once(watch, 'snapshot');
    const numbers = snapshots.map(({ sequence }) => sequence);
    expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
    watch.cancel();
  });

  it('on shutdown answers who waits, ends the streams, and ends itself', async () => {
    fixture = await SchedulerFixture.start(ONE_AT_A_TIME);
    const worker = await fixture.join('w0');
    await fixture.placed({});
    const waits = fixture.place({});
    await waiting(1);
    const closing = fixture.scheduler.close();
    expect((await waits.refusal).reason).toBe(RefusalReason.SHUTTING_DOWN);
    expect(await worker.ended).toMatchObject({ code: status.UNAVAILABLE });
    await closing;
  });

  it('compares the predicted time to first token with what the gateway saw, when the strategy predicts it', async () => {
    fixture = await SchedulerFixture.start({}, [
      { id: 'm', strategy: 'predicted-ttft' },
      { id: 'other', strategy: 'least-loaded' },
    ]);
    const models = ['m', 'other'].map((modelId) => servedModel({ modelId }));
    await fixture.join('w0', { models });
    const releaseOne = async (modelId: string, ttftUs: number) =>
      fixture.release(await fixture.placed({ modelId, generationId: `${modelId} ${ttftUs}` }), 'finished', ttftUs);
    await releaseOne('m', 60_000_000); // far longer than anybody would predict of an idle worker
    await releaseOne('m', 0); // no first token came
    await releaseOne('other', 1_000);
    const metrics = await (await fixture.get('/metrics')).text();
    expect(metrics).toContain('hydra_scheduler_ttft_prediction_ratio_count{model="m"} 1');
    expect(metrics).toContain('hydra_scheduler_ttft_prediction_ratio_bucket{le="10",model="m"} 0');
    expect(metrics).not.toContain('hydra_scheduler_ttft_prediction_ratio_count{model="other"}');
    expect(metrics).toContain('hydra_scheduler_predicted_ttft_seconds_count{model="m"} 1');
    expect(metrics).toContain('hydra_scheduler_actual_ttft_seconds_count{model="m"} 1');
  });

  it('is live at once, ready when a worker serves a model, and shows its metrics', async () => {
    fixture = await SchedulerFixture.start();
    expect((await fixture.get('/health/live')).status).toBe(200);
    expect((await fixture.get('/health/startup')).status).toBe(200);
    expect((await fixture.get('/health/ready')).status).toBe(503);
    await fixture.place({ ttftDeadlineUnixMs: 1 }).refusal; // its worker is not there yet
    await fixture.join('w0');
    expect((await fixture.get('/health/ready')).status).toBe(200);
    await fixture.placed({});
    await fixture.place({ modelId: 'made-up' }).refusal;
    const metrics = await (await fixture.get('/metrics')).text();
    expect(metrics).toContain(
      'hydra_scheduler_placements_total{model="m",strategy="predicted-ttft",reason="only-choice"} 1',
    );
    expect(metrics).toContain('hydra_scheduler_refusals_total{model="unserved",reason="no-worker"} 1');
    expect(metrics).toContain('hydra_scheduler_refusals_total{model="m",reason="deadline-unreachable"} 1');
    expect(metrics).toContain('hydra_scheduler_leases{worker="w0"} 1');
    expect(metrics).toContain('hydra_scheduler_workers{state="taking"} 1');
    expect(metrics).toContain('hydra_scheduler_waiting_requests{model="m"} 0');
    expect(metrics).toContain('hydra_scheduler_waiting_requests{model="unserved"} 0');
    expect(metrics).toMatch(/hydra_scheduler_worker_saturation_ratio\{model="m",worker="w0"\} (0\.\d+|1)\n/);
    expect(metrics).not.toContain('made-up');
  });

  it('says with a lease how many earlier prompts began alike, wherever they ran', async () => {
    fixture = await SchedulerFixture.start({}, [{ id: 'm', strategy: 'round-robin' }]);
    for (const workerId of ['w0', 'w1']) await fixture.join(workerId);
    const prefixHashes = Buffer.concat([1, 2, 3].map((fill) => Buffer.alloc(16, fill)));
    const first = await fixture.placed({ prefixHashes });
    const second = await fixture.placed({ prefixHashes: prefixHashes.subarray(0, 2 * 16) });
    const third = await fixture.placed({ prefixHashes });
    expect(second.workerId).not.toBe(first.workerId);
    expect([first, second, third].map(({ earlierUses }) => earlierUses)).toEqual([[], [2], [3, 2]]);
  });

  it('follows what workers hold, and asks for a snapshot when it missed something', async () => {
    const models = [{ id: 'm', strategy: 'prefix-aware' }];
    fixture = await SchedulerFixture.start({ waitingPerWorker: 8 }, models);
    const workers = [await fixture.join('w0'), await fixture.join('w1')];
    const hashes = [1, 2].map((seed) => Buffer.alloc(16, seed));
    const placedOn = async () => {
      const lease = await fixture.placed({ promptTokens: 40, prefixHashes: Buffer.concat(hashes) });
      await fixture.release(lease);
      expect([0, 32]).toContain(lease.expectedCachedTokens);
      return lease.workerId;
    };
    for (const [holder, worker] of workers.entries()) {
      const other = workers[1 - holder]!;
      other.prefixes({ firstSequence: 1, snapshot: true, events: [] });
      worker.prefixes({ firstSequence: 7, events: [] }); // six were missed
      await worker.next('requestKvSnapshot');
      worker.prefixes({ firstSequence: 7, snapshot: true, events: [stored(hashes)] });
      await vi.waitFor(async () => expect(await placedOn()).toBe(`w${holder}`), 20_000);
      expect([await placedOn(), await placedOn()]).toEqual([`w${holder}`, `w${holder}`]);
    }
  });
});

describe('blocks of other workers', () => {
  const hashes = Array.from({ length: 64 }, (_, index) => Buffer.alloc(16, index + 1));
  const models = [servedModel({ maxRunningSequences: 4, modelFingerprint: 'f', kvBytesPerToken: 64 })];
  const prompt = { promptTokens: 1_025, prefixHashes: Buffer.concat(hashes) };

  it('given a drained worker that holds a prompt, when it is placed on another, then the lease says from where it comes, and the answer why', async () => {
    fixture = await SchedulerFixture.start();
    const w0 = await fixture.join('w0', { models, kvTarget: '127.0.0.1:7777' });
    await fixture.join('w1', { models, kvTarget: '127.0.0.1:8888' });
    w0.prefixes({ firstSequence: 1, events: [stored(hashes)] });
    await vi.waitFor(async () => {
      const lease = await fixture.placed(prompt);
      await fixture.release(lease);
      expect(lease).toMatchObject({ workerId: 'w0', kvSources: [] });
    }, 20_000);
    w0.report({ draining: true });
    await snapshotWhere(({ members }) => members.some(({ report }) => report?.draining === true));
    const { outcome, explanation } = await fixture.place({ ...prompt, explain: true }).response;
    expect(outcome?.value).toMatchObject({
      workerId: 'w1',
      expectedCachedTokens: 1_024,
      kvSources: [{ target: '127.0.0.1:7777', kind: KvSourceKind.WORKER, blockHashes: hashes }],
    });
    expect(explanation).toMatchObject({ chosenWorkerId: 'w1', fetchedFromWorkerId: 'w0' });
    const chosen = explanation?.candidates.find(({ workerId }) => workerId === 'w1');
    expect(chosen?.terms).toMatchObject({ fetchedBlocks: 64, cachedBlocks: 0 });
    const metrics = await (await fixture.get('/metrics')).text();
    expect(metrics).toContain('hydra_scheduler_kv_fetches_total{model="m",from="worker"} 1');
  });
});

/** A gateway's side of `PlaceStream`. */
class TestPlaceStream {
  readonly responses = new Map<number, PlaceStreamResponse>();
  messageCount = 0;
  readonly ended: Promise<unknown>;
  private readonly stream: ClientDuplexStream<PlaceStreamRequest, PlaceStreamResponse>;

  constructor(
    { placement }: SchedulerFixture,
    private readonly takesFurther = true,
  ) {
    this.stream = placement.placeStream();
    this.stream.on('data', (message: PlaceStreamResponse) => {
      this.messageCount++;
      for (const response of [message, ...message.further]) this.responses.set(response.callId, response);
      this.stream.emit('response');
    });
    this.stream.on('error', () => {}); // its status tells
    this.ended = new Promise((resolve) => this.stream.once('status', resolve));
  }

  place(callId: number, request: Partial<PlaceRequest> = {}, timeoutMs = 20_000): void {
    this.send([placeAsk(callId, request, timeoutMs)]);
  }

  release({ leaseId }: Lease): void {
    const release = LeaseRelease.fromPartial({ leaseId, outcome: 'finished' });
    this.send([{ callId: 0, ask: { $case: 'release', value: { releases: [release] } } }]);
  }

  abandon(callId: number): void {
    this.send([{ callId, ask: { $case: 'cancel', value: {} } }]);
  }

  /** In one message. */
  send([first, ...further]: readonly Partial<PlaceStreamRequest>[]): void {
    const { takesFurther } = this;
    this.stream.write(
      PlaceStreamRequest.create({
        ...first,
        further: further.map((ask) => PlaceStreamRequest.create(ask)),
        takesFurther,
      }),
    );
  }

  kill(): void {
    this.stream.cancel();
  }

  async answer(callId: number): Promise<NonNullable<PlaceStreamResponse['answer']>> {
    while (!this.responses.has(callId)) await once(this.stream, 'response');
    return this.responses.get(callId)!.answer!;
  }

  async lease(callId: number): Promise<Lease> {
    const answer = await this.answer(callId);
    if (answer.$case !== 'response' || answer.value.outcome?.$case !== 'lease') throw new Error(JSON.stringify(answer));
    return answer.value.outcome.value;
  }
}

function placeAsk(callId: number, request: Partial<PlaceRequest> = {}, timeoutMs = 20_000) {
  const partial = { generationId: `stream-${callId}`, modelId: 'm', promptTokens: 10, ...request };
  return { callId, ask: { $case: 'place' as const, value: { request: PlaceRequest.fromPartial(partial), timeoutMs } } };
}

describe('PlaceStream', () => {
  it('given calls in one message, then all are answered; in one message where the gateway takes that, else in one for each', async () => {
    fixture = await SchedulerFixture.start();
    await fixture.join('w0');
    const calls = [1, 2, 3].map((callId) => placeAsk(callId));
    const later = new TestPlaceStream(fixture);
    later.send(calls);
    for (const callId of [1, 2, 3]) later.release(await later.lease(callId));
    expect(later.messageCount).toBe(1);
    expect(later.responses.get(1)?.takesFurther).toBe(true);
    const earlier = new TestPlaceStream(fixture, false);
    earlier.send([1, 2, 3].map((callId) => placeAsk(callId, { generationId: `earlier-${callId}` })));
    for (const callId of [1, 2, 3]) await earlier.lease(callId);
    expect(earlier.messageCount).toBe(3);
  });

  it('given a lease released on the stream, then what waits has its place', async () => {
    fixture = await SchedulerFixture.start(ONE_AT_A_TIME);
    await fixture.join('w0');
    const stream = new TestPlaceStream(fixture);
    for (const callId of [1, 2]) stream.place(callId);
    const first = await stream.lease(1);
    expect(stream.responses.get(1)?.takesReleases).toBe(true);
    await waiting(1);
    stream.release(first);
    expect((await stream.lease(2)).workerId).toBe('w0');
  });

  it('given many calls on one stream, then each is answered when there is room, and one that was cancelled is not', async () => {
    fixture = await SchedulerFixture.start(ONE_AT_A_TIME);
    await fixture.join('w0');
    const stream = new TestPlaceStream(fixture);
    for (const callId of [1, 2, 3]) stream.place(callId);
    const first = await stream.lease(1);
    await waiting(2);
    stream.abandon(2);
    await waiting(1);
    await fixture.release(first);
    expect((await stream.lease(3)).workerId).toBe('w0');
    expect([...stream.responses.keys()]).toEqual([1, 3]);
  });

  it('given calls that make no sense, come twice or take too long, then they fail by themselves, and others go on', async () => {
    fixture = await SchedulerFixture.start(ONE_AT_A_TIME);
    await fixture.join('w0');
    const stream = new TestPlaceStream(fixture);
    stream.place(1, { generationId: '' });
    expect(await stream.answer(1)).toMatchObject({ $case: 'failure', value: { code: status.INVALID_ARGUMENT } });
    stream.place(2);
    await stream.lease(2);
    stream.place(3);
    stream.place(4, { generationId: 'stream-3' });
    expect(await stream.answer(3)).toMatchObject({ $case: 'failure', value: { code: status.ABORTED } });
    stream.place(5, {}, 200);
    const refused = { $case: 'refused', value: { reason: RefusalReason.WAIT_EXPIRED } };
    expect(await stream.answer(5)).toMatchObject({ $case: 'response', value: { outcome: refused } });
  });

  it('given a gateway that is gone, then all that it had waiting leave the queue', async () => {
    fixture = await SchedulerFixture.start(ONE_AT_A_TIME);
    await fixture.join('w0');
    const stream = new TestPlaceStream(fixture);
    for (const callId of [1, 2, 3]) stream.place(callId);
    await stream.lease(1);
    await waiting(2);
    stream.kill();
    await waiting(0);
  });

  it('given a scheduler that ends, then what waits is answered before its stream ends', async () => {
    fixture = await SchedulerFixture.start(ONE_AT_A_TIME);
    await fixture.join('w0');
    const stream = new TestPlaceStream(fixture);
    for (const callId of [1, 2]) stream.place(callId);
    await stream.lease(1);
    await waiting(1);
    await Promise.all([fixture.scheduler.close(), stream.ended]);
    const refused = { $case: 'refused', value: { reason: RefusalReason.SHUTTING_DOWN } };
    expect(stream.responses.get(2)?.answer).toMatchObject({ $case: 'response', value: { outcome: refused } });
  });
});
