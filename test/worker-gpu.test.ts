import { afterEach, expect, it, vi } from 'vitest';
import { pathWithGpus } from './support/fake-nvidia-smi.js';
import { metricSum } from './support/metrics.js';
import { startedWorker, type WorkerWithLog } from './support/worker.js';

let started: WorkerWithLog | undefined;
afterEach(async () => {
  vi.unstubAllEnvs();
  await started?.worker.stop(0);
  started = undefined;
});

async function metricsWith(path: string): Promise<string> {
  vi.stubEnv('PATH', path);
  started = await startedWorker({ HYDRA_ENGINE: 'mock', HYDRA_WORKER_ID: 'gpu-worker' });
  return (await fetch(`http://127.0.0.1:${started.worker.httpPort}/metrics`)).text();
}

it('given a driver that lists two GPUs, when scraped, then each has its use, memory and power in base units', async () => {
  const text = await metricsWith(pathWithGpus());
  const first = { gpu: '0', gpu_name: 'NVIDIA H100 80GB HBM3', worker: 'gpu-worker' };
  expect(metricSum(text, 'hydra_worker_gpu_utilization_ratio', first)).toBe(0.87);
  expect(metricSum(text, 'hydra_worker_gpu_memory_used_bytes', first)).toBe(40_960 * 1024 ** 2);
  expect(metricSum(text, 'hydra_worker_gpu_memory_bytes', first)).toBe(81_559 * 1024 ** 2);
  expect(metricSum(text, 'hydra_worker_gpu_power_watts', first)).toBe(512.34);
  expect(text).toMatch(/hydra_worker_gpu_utilization_ratio\{[^}]*gpu="1"[^}]*\} 0\n/);
  expect(text, 'a power that is not known is not 0').not.toMatch(/hydra_worker_gpu_power_watts\{[^}]*gpu="1"/);
});

it('given no driver, when scraped, then there is no series of a GPU', async () => {
  expect(await metricsWith('/nowhere')).not.toMatch(/^hydra_worker_gpu_\w+\{/m);
});
