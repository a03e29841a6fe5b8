import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { credentials } from '@grpc/grpc-js';
import {
  FleetClient,
  PlacementClient,
  PlaceRequest,
  PlaceStreamRequest,
  Registration,
  StateReport,
} from '#lib/contracts';
import { secondsOfProcess } from '../engine/disturbance.mjs';
import { quantile } from '../engine/statistics.mjs';
import { residentSet } from '../resident-set.mjs';
import { AS_SCHEDULER } from './in-scheduler-process.mjs';

const MAIN = fileURLToPath(new URL('../../dist/apps/scheduler/src/main.js', import.meta.url));
const WORKERS = 64;
const PER_SECOND = 500;
/** From the lease to its release: as long as a short answer takes. */
const SERVICE_MS = 1_000;
const PROMPT_BLOCKS = 64;
const PROMPT_BYTES = PROMPT_BLOCKS * 16;
const REPORT_INTERVAL_MS = 500;
const TICK_MS = 2;

/**
 * A scheduler process with 64 workers and one gateway, all of them simulated here but for what they say: `Join` streams with reports, one
 * `PlaceStream`, releases as gateways send them. Times are from asking to the answer, as the gateway sees them.
 */
export async function measureFleet({ seconds }) {
  const scheduler = await startScheduler();
  const target = `127.0.0.1:${scheduler.grpcPort}`;
  const fleet = new FleetClient(target, credentials.createInsecure());
  const placement = new PlacementClient(target, credentials.createInsecure());
  const workers = Array.from({ length: WORKERS }, (_, number) => new SimulatedWorker(fleet, `w${number}`));
  await Promise.all(workers.map((worker) => worker.accepted));
  const byId = new Map(workers.map((worker) => [worker.workerId, worker]));

  const open = new Map();
  const answersUs = [];
  const stream = placement.placeStream();
  let refused = 0;
  let releases = [];
  stream.on('data', ({ callId, answer }) => {
    const { askedMs, generationId } = open.get(callId);
    open.delete(callId);
    answersUs.push((performance.now() - askedMs) * 1_000);
    const outcome = answer?.$case === 'response' ? answer.value.outcome : undefined;
    if (outcome?.$case !== 'lease') {
      refused++;
      return;
    }
    const { leaseId, workerId } = outcome.value;
    const worker = byId.get(workerId);
    worker.begin(generationId);
    setTimeout(() => {
      worker.end(generationId);
      releases.push({ leaseId, outcome: 'finished', usage: undefined, ttftUs: 20_000 });
    }, SERVICE_MS);
  });
  stream.on('error', () => {}); // it is cancelled at the end
  const flush = setInterval(() => {
    if (releases.length > 0) placement.releaseLeases({ releases }, () => {});
    releases = [];
  }, TICK_MS);

  const hashes = Buffer.concat(Array.from({ length: 200 * PROMPT_BLOCKS }, (_, at) => Buffer.alloc(16, `${at}-`)));
  const startMs = performance.now();
  const before = secondsOfProcess(scheduler.pid);
  let asked = 0;
  for (let elapsedMs = 0; elapsedMs < seconds * 1_000; elapsedMs = performance.now() - startMs) {
    while (asked < (elapsedMs * PER_SECOND) / 1_000) {
      const callId = ++asked;
      const from = (callId % 200) * PROMPT_BYTES;
      const request = PlaceRequest.fromPartial({
        ...{ generationId: `g${callId}`, requestId: `r${callId}`, tenantId: `t${callId % 8}`, modelId: 'm' },
        ...{ promptTokens: PROMPT_BLOCKS * 16, maxOutputTokens: 100, sequenceCount: 1 },
        prefixHashes: hashes.subarray(from, from + PROMPT_BYTES),
      });
      open.set(callId, { askedMs: performance.now(), generationId: request.generationId });
      stream.write(
        PlaceStreamRequest.create({ callId, ask: { $case: 'place', value: { request, timeoutMs: 10_000 } } }),
      );
    }
    await new Promise((resolve) => setTimeout(resolve, TICK_MS));
  }
  const elapsedS = (performance.now() - startMs) / 1_000;
  const cpuS = secondsOfProcess(scheduler.pid) - before;
  const decisions = await decisionTimes(scheduler.httpPort);
  const { bytes } = residentSet(scheduler.pid);
  clearInterval(flush);
  stream.cancel();
  for (const worker of workers) worker.stop();
  placement.close();
  fleet.close();
  await scheduler.stop();
  return {
    workers: WORKERS,
    requestsPerSecond: asked / elapsedS,
    refused,
    decisionUs: decisions,
    answerUs: { p50: quantile(answersUs, 0.5), p99: quantile(answersUs, 0.99) },
    schedulerCpuShare: cpuS / elapsedS,
    schedulerCpuUsPerRequest: (cpuS * 1e6) / asked,
    schedulerResidentBytes: bytes,
  };
}

class SimulatedWorker {
  #stream;
  #timer;
  #held = new Set();
  #sequence = 0;
  #soon;

  constructor(fleet, workerId) {
    this.workerId = workerId;
    this.#stream = fleet.join();
    this.#stream.on('error', () => {}); // it is cancelled at the end
    this.accepted = new Promise((resolve) => this.#stream.once('data', resolve));
    const model = {
      ...{ modelId: 'm', blockTokens: 16, contextTokens: 32_768, maxRunningSequences: 64 },
      ...{ stepTokenBudget: 2_048, kvBytesPerToken: 1_024 },
    };
    const value = Registration.fromPartial({ workerId, workerEpoch: 1, target: `${workerId}:1`, models: [model] });
    this.#stream.write({ event: { $case: 'registration', value } });
    this.#timer = setInterval(() => this.#report(), REPORT_INTERVAL_MS);
  }

  begin(generationId) {
    this.#held.add(generationId);
    this.#reportSoon();
  }

  end(generationId) {
    this.#held.delete(generationId);
    this.#reportSoon();
  }

  stop() {
    clearInterval(this.#timer);
    clearTimeout(this.#soon);
    this.#stream.cancel();
  }

  #reportSoon() {
    this.#soon ??= setTimeout(() => {
      this.#soon = undefined;
      this.#report();
    }, 10);
  }

  #report() {
    const value = StateReport.fromPartial({
      ...{ sequence: ++this.#sequence, runningGenerations: this.#held.size, stepUs: 10_000 },
      ...{ kvUsedBytes: this.#held.size * 1e6, kvTotalBytes: 1e9, prefillTokensPerSecond: 8_000, tokensPerSecond: 800 },
    });
    this.#stream.write({ event: { $case: 'report', value } });
  }
}

async function startScheduler() {
  const child = fork(MAIN, {
    ...AS_SCHEDULER,
    env: {
      ...AS_SCHEDULER.env,
      HYDRA_CONFIG: fileURLToPath(new URL('fleet.yaml', import.meta.url)),
      HYDRA_SCHEDULER_GRPC_PORT: '0',
      HYDRA_SCHEDULER_HTTP_PORT: '0',
      HYDRA_LOG_LEVEL: 'warn',
    },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const ports = await new Promise((resolve, reject) => {
    child.once('message', resolve);
    child.once('exit', (code) => reject(new Error(`the scheduler ended with code ${code}`)));
  });
  return {
    ...ports,
    pid: child.pid,
    stop: () =>
      new Promise((resolve) => {
        child.once('exit', resolve);
        child.kill('SIGTERM');
      }),
  };
}

/** Mean and upper bounds of quantiles of `hydra_scheduler_decision_seconds`, in microseconds. */
async function decisionTimes(httpPort) {
  const text = await (await fetch(`http://127.0.0.1:${httpPort}/metrics`)).text();
  const value = (pattern) => Number(pattern.exec(text)?.[1] ?? Number.NaN);
  const count = value(/^hydra_scheduler_decision_seconds_count (\S+)$/m);
  const mean = (value(/^hydra_scheduler_decision_seconds_sum (\S+)$/m) / count) * 1e6;
  const buckets = [...text.matchAll(/^hydra_scheduler_decision_seconds_bucket\{le="([\d.e-]+)"\} (\d+)$/gm)];
  const below = (share) => Number(buckets.find(([, , upTo]) => Number(upTo) >= share * count)?.[1]) * 1e6;
  return { mean, p50AtMost: below(0.5), p99AtMost: below(0.99) };
}
