import { randomFillSync } from 'node:crypto';
import { PerformanceObserver } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { PlaceRequest, Registration } from '#lib/contracts';
import { PrefixHashes } from '#lib/kv';
import {
  createStrategy,
  DEFAULT_STRATEGY_OPTIONS,
  FleetState,
  KvIndex,
  LeaseTable,
  PlacementQueue,
  PrefixUses,
  rememberedPrefixes,
  seededRandom,
} from '#lib/placement';
import { fromPlaceRequest } from '../../dist/apps/scheduler/src/place-request.js';
import { quantile } from '../engine/statistics.mjs';
import { timesOfFixedWork } from './fixed-work.mjs';

const HASH_BYTES = 16;
const CHAIN_BLOCKS = 1_000;
const INDEX_WORKERS = 256;
const SERVING_WORKERS = 64;
const PROMPT_BYTES = CHAIN_BLOCKS * HASH_BYTES;
const MODEL_ID = 'm';

/**
 * The KV index filled with `blocks` distinct blocks, each on 1 to 64 of 256 workers, and decisions of `predicted-ttft` with it: prompts of
 * 1,000 blocks over 64 workers that have other prompts to compute, explained as a scheduler has them explained. Everything in this process, on
 * one core. Collections of garbage count wherever they fall, also those that the bench's own garbage brings about; how many
 * decisions they fall into is told, and what the others took.
 */
export async function measureDecisions({ blocks, decisions }) {
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

  const { queue, leases, uses } = scheduler(index, blocks, random);
  const promptOf = (chain) => bytes.subarray(chain * PROMPT_BYTES, (chain + 1) * PROMPT_BYTES);
  for (let chain = 0; chain < chains; chain++) uses.add(new PrefixHashes(promptOf(chain))); // none is new, and all its memory is there
  const collections = [];
  const observer = new PerformanceObserver((list) => collections.push(...list.getEntries()));
  observer.observe({ type: 'gc' });
  const held = [];
  const timed = [];
  for (let asked = 0; asked < decisions + WARM_UP; asked++) {
    const chain = Math.floor(random() * chains);
    const request = requestOf(asked, promptOf(chain));
    const startMs = performance.now();
    const answer = queue.enqueue(request, asked + 1_000, asked).decisions.at(-1);
    const endMs = performance.now();
    if (asked >= WARM_UP) timed.push({ startMs, endMs });
    if (answer?.kind !== 'placed') throw new Error(`not placed: ${JSON.stringify(answer)}`);
    held.push(answer.lease.leaseId);
    if (held.length > SERVING_WORKERS * QUEUED_PER_WORKER) queue.release([held.shift()], asked);
  }
  await delay(TOLD_MS); // had there been turns of the event loop before, V8 would have made some collections in them
  observer.disconnect();
  const usOf = ({ startMs, endMs }) => (endMs - startMs) * 1_000;
  const timesUs = timed.map(usOf);
  const undisturbedUs = withoutCollections(timed, collections).map(usOf);
  const meanUs = timesUs.reduce((sum, us) => sum + us, 0) / timesUs.length;
  const placeUs = { p50: quantile(timesUs, 0.5), p99: quantile(timesUs, 0.99), mean: meanUs };
  const fixedWorkUs = timesOfFixedWork({ us: placeUs.p50, times: decisions });
  const knownBlocks = index.size;
  const leave = removeWorker(index, workerIdOf(0));
  return {
    blocks: knownBlocks,
    pairs,
    tableBytes: index.memoryBytes,
    residentBytes: indexBytes,
    storedPerSecond: Math.round(pairs / (fillMs / 1_000)),
    leave,
    leases: leases.size,
    sketchBytes: uses.memoryBytes,
    placeUs,
    fixedWorkUs,
    collectedShare: 1 - undisturbedUs.length / timesUs.length,
    undisturbedUs: { p99: quantile(undisturbedUs, 0.99) },
    decisionsPerSecond: Math.round(1e6 / meanUs),
  };
}

/** Decisions that are not measured: the compiler needs some. */
const WARM_UP = 2_000;
/** Prompts on each worker that are not computed. */
const QUEUED_PER_WORKER = 2;

/** Until Node has told of all collections. */
const TOLD_MS = 100;
/** What a scheduler clears in one turn (`KvIndexSweep`). */
const SWEPT_SLOTS_PER_TURN = 32_768;

/** Both in order of time. */
function withoutCollections(timed, collections) {
  let next = 0;
  return timed.filter(({ startMs, endMs }) => {
    while (next < collections.length && endOf(collections[next]) < startMs) next++;
    return next === collections.length || collections[next].startTime > endMs;
  });
}

const endOf = ({ startTime, duration }) => startTime + duration;

/** How long the event loop is held, at most and in all. */
function removeWorker(index, workerId) {
  const turnsMs = [];
  for (let isMore = true; isMore; ) {
    const startMs = performance.now();
    index.removeWorker(workerId); // of the first turn
    isMore = index.sweep(SWEPT_SLOTS_PER_TURN);
    turnsMs.push(performance.now() - startMs);
  }
  return { longestMs: Math.max(...turnsMs), totalMs: turnsMs.reduce((sum, ms) => sum + ms, 0) };
}

const workerIdOf = (number) => `w${String(number).padStart(4, '0')}`;

/** With all that it would have for so many blocks. */
function scheduler(prefixes, blocks, random) {
  const leases = new LeaseTable({ leaseTtlMs: 1e12, idPrefix: 'l' });
  const fleet = new FleetState({ workerTimeoutMs: 1e12, waitingPerWorker: 4, stepsPerWorker: 1e6 }, leases);
  const strategy = createStrategy('predicted-ttft', DEFAULT_STRATEGY_OPTIONS);
  const uses = new PrefixUses(rememberedPrefixes(blocks));
  const queue = new PlacementQueue(
    { queueLength: 1_024, expectedModelIds: new Set([MODEL_ID]), lossGraceMs: 0 },
    { fleet, leases, strategyFor: () => strategy, random, prefixes, uses },
  );
  const kvLayout = Buffer.alloc(HASH_BYTES); // one for all: each may fetch from each
  const model = { modelId: MODEL_ID, kvLayout, blockTokens: 16, maxRunningSequences: 256, stepTokenBudget: 2_048 };
  for (let number = 0; number < SERVING_WORKERS; number++) {
    const workerId = workerIdOf(number * (INDEX_WORKERS / SERVING_WORKERS));
    const about = { workerId, workerEpoch: 1, target: workerId, kvTarget: workerId, models: [model] };
    fleet.register(Registration.decode(Registration.encode(Registration.fromPartial(about)).finish()), 0); // each with a layout of its own
  }
  return { queue, leases, uses };
}

/** As the generated decoder brings it: the same properties in the same order in each, the hashes copied from the message. */
function requestOf(number, prefixHashes) {
  const about = {
    generationId: `g${number}`,
    tenantId: 't',
    modelId: MODEL_ID,
    prefixHashes: Buffer.from(prefixHashes),
  };
  const counts = { promptTokens: CHAIN_BLOCKS * 16 + 8, maxOutputTokens: 256, sequenceCount: 1 };
  return fromPlaceRequest(PlaceRequest.fromPartial({ ...about, ...counts }));
}
