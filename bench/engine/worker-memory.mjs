import { readFileSync } from 'node:fs';
import { loadServer, startPlatform } from '../platform.mjs';
import { residentSet } from '../resident-set.mjs';
import { MEMORY_CASE } from './cases.mjs';

/** Of `hydra up`, by what its child's command line holds. */
const WORKER_ENTRY = '/apps/inference/';

/**
 * What a worker's process takes beyond weights and KV: a platform with little KV memory is loaded until its kept prefixes fill
 * that, then the kernel is asked.
 * @param {{weightsBytes: number}} model
 * @returns {Promise<{residentBytes: number, weightsBytes: number, kvBytes: number, beyondBytes: number}>}
 */
export async function workerMemory({ weightsBytes }) {
  const { kvBytes, ...load } = MEMORY_CASE.argument;
  const flags = { concurrency: load.concurrency, requests: load.requests, 'max-tokens': load.maxTokens };
  const args = Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, String(value)]);
  const platform = await startPlatform({ HYDRA_KV_BYTES: String(kvBytes), HYDRA_WORKERS: '1' });
  try {
    await loadServer(platform.url, [...args, '--prompt-words', String(load.promptWords)]);
    const { bytes: residentBytes } = residentSet(workerOf(platform.pid));
    return { residentBytes, weightsBytes, kvBytes, beyondBytes: residentBytes - weightsBytes - kvBytes };
  } finally {
    await platform.stop();
  }
}

function workerOf(pid) {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
  const worker = children.find((child) => readFileSync(`/proc/${child}/cmdline`, 'utf8').includes(WORKER_ENTRY));
  if (worker === undefined) throw new Error(`hydra up (${pid}) has no worker among its children.`);
  return worker;
}
