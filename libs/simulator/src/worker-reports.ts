import { Registration, StateReport } from '#lib/contracts';
import { BLOCK_HASH_BYTES } from '#lib/kv';
import { type PrefillOrder, type StepReport, seededRandom } from '#lib/placement';
import type { SimulatedWorker } from './simulated-worker.js';
import type { WorkerModel } from './worker-model.js';

/** The one model that simulated workers serve. */
export const MODEL_ID = 'simulated';

/** Of an 8B model; only tells bytes from tokens in reports. */
const KV_BYTES_PER_TOKEN = 131_072;

const NOTHING_REPORTED = StateReport.fromPartial({});

export const workerIdOf = (index: number) => `w${String(index).padStart(4, '0')}`;

export function registrationOf(workerId: string, model: WorkerModel, order: PrefillOrder): Registration {
  return Registration.fromPartial({
    workerId,
    workerEpoch: 1,
    target: workerId,
    models: [
      {
        modelId: MODEL_ID,
        blockTokens: model.blockTokens,
        maxRunningSequences: model.maxSeqs,
        stepTokenBudget: model.tokenBudget,
        kvBytesPerToken: KV_BYTES_PER_TOKEN,
        prefillOrder: order,
      },
    ],
  });
}

/** What a worker reports after a step. */
export function stateReportOf(worker: SimulatedWorker): StateReport {
  return {
    ...NOTHING_REPORTED,
    sequence: worker.stepCount,
    runningGenerations: worker.runningCount,
    waitingGenerations: worker.waitingCount,
    pendingPrefillTokens: worker.pendingPrefillTokens(),
  };
}

/** What a worker reports of an interval. */
export function intervalReportOf(
  worker: SimulatedWorker,
  model: WorkerModel,
  sequence: number,
  intervalS: number,
): StateReport {
  const { steps, stepSeconds, prefillTokens, decodedTokens } = worker.takeTotals();
  return {
    ...stateReportOf(worker),
    sequence,
    kvUsedBytes: worker.decodingContextTokens * KV_BYTES_PER_TOKEN,
    kvTotalBytes: model.kvBlocks * model.blockTokens * KV_BYTES_PER_TOKEN,
    stepUs: steps > 0 ? Math.round((stepSeconds / steps) * 1e6) : 0,
    stepsPerSecond: steps / intervalS,
    tokensPerSecond: decodedTokens / intervalS,
    prefillTokensPerSecond: prefillTokens / intervalS,
  };
}

/** @param finished  the step before, when it ended just now */
export function stepReportOf(
  worker: SimulatedWorker,
  model: WorkerModel,
  finished: StepReport['finished'],
): StepReport {
  return {
    finished,
    begun: worker.isIdle ? undefined : worker.load,
    prompts: worker.progress(),
    decodingSequences: worker.decodingCount,
    contextTokens: worker.decodingContextTokens,
    kvTokens: model.kvBlocks * model.blockTokens,
  };
}

/** 16 bytes that differ between blocks as hashes do. */
export function blockHash(blockId: number): Uint8Array {
  const words = new Uint32Array(BLOCK_HASH_BYTES / Uint32Array.BYTES_PER_ELEMENT);
  const random = seededRandom(blockId);
  for (let word = 1; word < words.length; word++) words[word] = random() * 2 ** 32;
  words[0] = blockId; // so that no two are equal
  return new Uint8Array(words.buffer);
}
