import { afterEach, expect, it } from 'vitest';
import { FailureCode, WorkerRole } from '#lib/contracts';
import { hashBlocks, prefixSeed } from '#lib/kv';
import { requestOf } from '../libs/engine/testing/requests.js';
import { TestFleet } from './support/test-fleet.js';
import { TestSession } from './support/test-session.js';
import { startedWorker } from './support/worker.js';

const closers: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function joined() {
  const fleet = await new TestFleet().listen();
  closers.push(() => fleet.kill());
  const { worker } = await startedWorker({
    HYDRA_ENGINE: 'mock',
    HYDRA_MOCK_TTFT_MS: '0',
    HYDRA_MOCK_ITL_MS: '1',
    HYDRA_WORKER_ID: 'worker-7',
    HYDRA_SCHEDULER_TARGET: fleet.target,
  });
  closers.push(() => worker.stop(10));
  await fleet.until(() => fleet.of('report').length > 0);
  return { fleet, worker };
}

it('given a scheduler, when the worker is ready, then it registers with all that placing needs, and reports', async () => {
  const { fleet, worker } = await joined();
  const [registration] = fleet.of('registration');
  expect(registration).toMatchObject({
    workerId: 'worker-7',
    workerEpoch: worker.epoch,
    target: `127.0.0.1:${worker.grpcPort}`,
    role: WorkerRole.UNIFIED,
    engine: 'mock',
    tensorParallelSize: 1,
    pipelineParallelSize: 1,
  });
  expect(registration?.devices[0]?.memoryBytes).toBeGreaterThan(0);
  expect(registration?.models[0]).toMatchObject({ blockTokens: 16, contextTokens: 8_192, maxRunningSequences: 64 });
  await fleet.until(() => fleet.of('report').some(({ devices }) => devices.length > 0));
  const report = fleet.of('report').find(({ devices }) => devices.length > 0);
  expect(report?.devices[0]?.utilization).toBeGreaterThanOrEqual(0);
  expect(report?.devices[0]?.utilization).toBeLessThanOrEqual(1);
});

it('given a generation, when it runs and ends, then reports say so, and held ids come with every tenth', async () => {
  const { fleet, worker } = await joined();
  const session = await TestSession.open(worker.grpcPort);
  closers.push(() => session.close());
  const { modelId } = worker.model();
  const id = session.submit(
    requestOf({ modelId, workerEpoch: worker.epoch, initialCredit: 5, stop: { maxTokens: 10 } }),
  );
  await fleet.until(() =>
    fleet.of('report').some((report) => report.runningGenerations === 1 && report.kvUsedBytes > 0),
  );
  await fleet.until(() => fleet.of('report').some(({ heldGenerationIds }) => heldGenerationIds.includes(id)));
  await fleet.until(() => fleet.of('report').some(({ tokensPerSecond }) => tokensPerSecond > 0));
  session.credit(id, 100);
  await session.end(id);
  const from = fleet.of('report').length;
  await fleet.until(() =>
    fleet
      .of('report')
      .slice(from)
      .some((report) => report.runningGenerations === 0),
  );
  const sequences = fleet.of('report').map(({ sequence }) => sequence);
  expect(sequences).toEqual(sequences.map((_, i) => i + 1));
});

it('given a scheduler that dies and comes back, when it is there again, then the worker registers again in the same epoch', async () => {
  const { fleet } = await joined();
  const { port } = fleet;
  fleet.kill();
  await fleet.listen(port);
  await fleet.until(() => fleet.of('registration').length === 2);
  const [first, second] = fleet.of('registration');
  expect(second).toEqual(first);
});

it('given a drain from the scheduler, when it comes, then the worker says that it drains', async () => {
  const { fleet } = await joined();
  fleet.tell({ $case: 'drain', value: { graceMs: 1_000 } });
  await fleet.until(() => fleet.of('drainStarted').length > 0);
  await fleet.until(() => fleet.of('report').at(-1)?.draining === true);
});

it('given a later life of the same worker, when the scheduler tells, then this one learns of it', async () => {
  const { fleet, worker } = await joined();
  fleet.tell({ $case: 'superseded', value: { byEpoch: worker.epoch + 1 } });
  await worker.superseded;
});

it('given prompts that were computed, then the scheduler is told of their blocks under the hashes that gateways look for, and of all when it asks', async () => {
  const { fleet, worker } = await joined();
  const session = await TestSession.open(worker.grpcPort);
  closers.push(() => session.close());
  const { modelId, modelFingerprint, blockTokens } = worker.model();
  const promptTokenIds = Array.from({ length: 40 }, (_, i) => i);
  const cacheSalt = Buffer.from('ff00fe', 'hex'); // no text
  const run = async (ids: number[]) => {
    const request = requestOf({ modelId, workerEpoch: worker.epoch, cacheSalt, promptTokenIds: ids });
    await session.end(session.submit({ ...request, stop: { ...request.stop!, maxTokens: 2 } }));
  };
  const hashesOf = (ids: number[]) =>
    hashBlocks(ids, blockTokens, prefixSeed({ modelFingerprint, adapterVersion: '', salt: cacheSalt })).map(
      Buffer.from,
    );

  const nothing = { firstSequence: 1, events: [], snapshot: false, checksum: Buffer.alloc(16) };
  expect(fleet.of('kvEvents')[0]).toEqual(nothing); // as it joins, and again with each interval
  const news = () => fleet.of('kvEvents').filter(({ events }) => events.length > 0);
  await run(promptTokenIds);
  await fleet.until(() => news().length > 0);
  const [first, second] = hashesOf(promptTokenIds);
  const stored = { modelId, adapterId: '', medium: 'device' };
  expect(news()).toEqual([
    {
      firstSequence: 1,
      events: [
        {
          change: { $case: 'stored', value: { ...stored, parentHash: Buffer.alloc(0), blockHashes: [first, second] } },
        },
      ],
      snapshot: false,
      checksum: first!.map((byte, at) => byte ^ second![at]!),
    },
  ]);

  const longer = [...promptTokenIds.slice(0, 16), ...promptTokenIds];
  await run(longer);
  await fleet.until(() => news().length > 1);
  fleet.tell({ $case: 'requestKvSnapshot', value: {} });
  await fleet.until(() => fleet.of('kvEvents').some(({ snapshot }) => snapshot));
  const snapshot = fleet.of('kvEvents').find((message) => message.snapshot)!;
  expect(snapshot.firstSequence).toBe(3);
  const all = snapshot.events.flatMap(({ change }) => (change?.$case === 'stored' ? change.value.blockHashes : []));
  const expected = new Set([...hashesOf(promptTokenIds), ...hashesOf(longer)].map((hash) => hash.toString('hex')));
  expect(new Set(all.map((hash) => hash.toString('hex')))).toEqual(expected);
  expect(all).toHaveLength(expected.size);

  const { port } = fleet;
  fleet.kill();
  await fleet.listen(port);
  await fleet.until(() => fleet.of('registration').length === 2);
  const next = snapshot.firstSequence + snapshot.events.length;
  await fleet.until(() =>
    fleet.of('kvEvents').some(({ firstSequence, events }) => firstSequence === next && events.length === 0),
  );
});

it('given a scheduler that has taken over the model, then leases of the one before are refused, and reports tell whom the worker knows', async () => {
  const { fleet, worker } = await joined();
  const session = await TestSession.open(worker.grpcPort);
  closers.push(() => session.close());
  const { modelId } = worker.model();
  const submit = (leaseTerm: number) =>
    session.submit(requestOf({ modelId, workerEpoch: worker.epoch, leaseId: 'l', leaseTerm, stop: { maxTokens: 1 } }));
  await session.end(submit(5));
  fleet.tell({ $case: 'leading', value: { modelId, term: 9 } });
  await fleet.until(() => fleet.of('report').at(-1)?.leaseTerms[modelId] === 9);
  const late = submit(8);
  await session.end(late);
  expect(session.failed(late)).toMatchObject({ code: FailureCode.STALE_EPOCH, retryable: true });
  await session.end(submit(9));
  await session.end(submit(0)); // without a lease: no scheduler was there
  expect(fleet.of('report').at(-1)?.schedulers).toEqual([fleet.target]);
});

it('given two schedulers, then the worker joins both, tells each all it has in numbers of their own, and each of the other', async () => {
  const [first, second] = await Promise.all([new TestFleet().listen(), new TestFleet().listen()]);
  closers.push(
    () => first.kill(),
    () => second.kill(),
  );
  const { worker } = await startedWorker({
    HYDRA_ENGINE: 'mock',
    HYDRA_MOCK_TTFT_MS: '0',
    HYDRA_SCHEDULER_TARGETS: `${first.target},${second.target}`,
  });
  closers.push(() => worker.stop(10));
  const both = [first.target, second.target];
  for (const fleet of [first, second]) {
    await fleet.until(() => fleet.of('report').at(-1)?.schedulers.join() === both.join());
  }
  const session = await TestSession.open(worker.grpcPort);
  closers.push(() => session.close());
  const { modelId } = worker.model();
  const promptTokenIds = Array.from({ length: 100 }, (_, i) => i);
  await session.end(
    session.submit(requestOf({ modelId, workerEpoch: worker.epoch, promptTokenIds, stop: { maxTokens: 1 } })),
  );
  for (const fleet of [first, second]) {
    await fleet.until(() => fleet.of('kvEvents').some(({ events }) => events.length > 0));
    expect(fleet.of('kvEvents').find(({ events }) => events.length > 0)?.firstSequence).toBe(1);
    const sequences = fleet.of('report').map(({ sequence }) => sequence);
    expect(sequences).toEqual(sequences.map((_, i) => i + 1));
  }
  first.kill();
  await second.until(() => second.of('report').at(-1)?.schedulers.join() === second.target);
});
