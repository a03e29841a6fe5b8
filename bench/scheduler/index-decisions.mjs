import { randomFillSync } from 'node:crypto';
import {
  createStrategy,
  DEFAULT_STRATEGY_OPTIONS,
  FleetState,
  KvIndex,
  LeaseTable,
  PlacementQueue,
  PREFIXES_PER_INDEXED_BLOCK,
  PrefixUses,
  seededRandom,
} from '#lib/placement';
import { quantile } from '../engine/statistics.mjs';

const HASH_BYTES = 16;
const CHAIN_BLOCKS = 1_000;
const INDEX_WORKERS = 256;
const SERVING_WORKERS = 64;
const MODEL_ID = 'm';

/**
 * The KV index filled with `blocks` distinct blocks, each on 1 to 64 of 256 workers, and decisions of `predicted-ttft` with it: prompts of
 * 1,000 blocks over 64 workers that have other prompts to compute. Everything in this process, on one core.
 */
export function measureDecisions({ blocks, decisions }) {
  const random = seededRandom(1);
  const beforeBytes = process.memoryUsage.rss();
  const bytes = randomFillSync(Buffer.allocUnsafeSlow(blocks * HASH_BYTES));
  const hashesBytes = process.memoryUsage.rss() - beforeBytes;
  const index = new KvIndex({ capacityBlocks: blocks, capacityWorkers: INDEX_WORKERS });
  const hashOf = (chain, block) => {
    const at = (chain * CHAIN_BLOCKS + block) * HASH_BYTES;
    return bytes.subarray(at, at + HASH_BYTES);
  };
  const chains = Math.floor(blocks / CHAIN_BLOCKS);
  const fillStartMs = performance.now();
  let pairs = 0;
  for (let chain = 0; chain < chains; chain++) {
    const holders = 1 + Math.floor(random() * 64);
    const first = Math.floor(random() * INDEX_WORKERS);
    for (let holder = 0; holder < holders; holder++) {
      const workerId = workerIdOf((first + holder * 3) % INDEX_WORKERS);
      const depth = holder === 0 ? CHAIN_BLOCKS : Math.ceil(random() * CHAIN_BLOCKS);
      for (let block = 0; block < depth; block++) index.stored(workerId, hashOf(chain, block));
      pairs += depth;
    }
  }
  const fillMs = performance.now() - fillStartMs;
  const indexBytes = process.memoryUsage.rss() - beforeBytes - hashesBytes;

  const { queue, leases } = scheduler(index, random);
  const held = [];
  const timesUs = [];
  for (let asked = 0; asked < decisions + WARM_UP; asked++) {
    const chain = Math.floor(random() * chains);
    // As many bytes as a message would bring: hashes of their own, not views that the index has seen.
    const prefixHashes = Array.from({ length: CHAIN_BLOCKS }, (_, block) => Buffer.from(hashOf(chain, block)));
    const request = requestOf(asked, prefixHashes);
    const startNs = process.hrtime.bigint();
    const answer = queue.enqueue(request, asked + 1_000, asked).decisions.at(-1);
    const us = Number(process.hrtime.bigint() - startNs) / 1_000;
    if (asked >= WARM_UP) timesUs.push(us);
    if (answer?.kind !== 'placed') throw new Error(`not placed: ${JSON.stringify(answer)}`);
    held.push(answer.lease.leaseId);
    if (held.length > SERVING_WORKERS * QUEUED_PER_WORKER) queue.release([held.shift()], asked);
  }
  const removeStartMs = performance.now();
  index.removeWorker(workerIdOf(0));
  const removeWorkerMs = performance.now() - removeStartMs;
  const meanUs = timesUs.reduce((sum, us) => sum + us, 0) / timesUs.length;
  return {
    blocks: index.size,
    pairs,
    tableBytes: index.memoryBytes,
    residentBytes: indexBytes,
    storedPerSecond: Math.round(pairs / (fillMs / 1_000)),
    removeWorkerMs,
    leases: leases.size,
    placeUs: { p50: quantile(timesUs, 0.5), p99: quantile(timesUs, 0.99), mean: meanUs },
    decisionsPerSecond: Math.round(1e6 / meanUs),
  };
}

/** Decisions that are not measured: the compiler needs some. */
const WARM_UP = 2_000;
/** Prompts on each worker that are not computed. */
const QUEUED_PER_WORKER = 2;

const workerIdOf = (number) => `w${String(number).padStart(4, '0')}`;

function scheduler(prefixes, random) {
  const leases = new LeaseTable({ leaseTtlMs: 1e12, idPrefix: 'l' });
  const fleet = new FleetState({ workerTimeoutMs: 1e12, waitingPerWorker: 4, stepsPerWorker: 1e6 }, leases);
  const strategy = createStrategy('predicted-ttft', DEFAULT_STRATEGY_OPTIONS);
  const uses = new PrefixUses(PREFIXES_PER_INDEXED_BLOCK * 262_144);
  const queue = new PlacementQueue(
    { queueLength: 1_024, expectedModelIds: new Set([MODEL_ID]), lossGraceMs: 0 },
    { fleet, leases, strategyFor: () => strategy, random, prefixes, uses },
  );
  const model = { modelId: MODEL_ID, blockTokens: 16, contextTokens: 0, maxRunningSequences: 256 };
  for (let number = 0; number < SERVING_WORKERS; number++) {
    const workerId = workerIdOf(number * (INDEX_WORKERS / SERVING_WORKERS));
    const about = { workerId, workerEpoch: 1, target: workerId, adapters: [], labels: {} };
    fleet.register({ ...about, models: [{ ...model, stepTokenBudget: 2_048, kvBytesPerToken: 0 }] }, 0);
  }
  return { queue, leases };
}

function requestOf(number, prefixHashes) {
  return {
    ...{ generationId: `g${number}`, tenantId: 't', modelId: MODEL_ID, adapterId: '', sessionKey: '' },
    ...{ promptTokens: CHAIN_BLOCKS * 16 + 8, maxOutputTokens: 256, sequenceCount: 1, prefixHashes },
    ...{ priority: 0, attempt: 0, avoidWorkerIds: [], ttftDeadlineUnixMs: 0, explain: false },
  };
}
