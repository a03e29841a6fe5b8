import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from '#lib/config';
import { compileForms, usableMemoryBytes } from '#lib/engine-onnx';
import { ModelStore } from '#lib/models';
import { metricsOf } from './support/app-metrics.js';
import { type RunningPlatform, startPlatform } from './support/platform.js';

const MODEL = 'smollm2-135m-instruct';
const KV_BYTES = 64 * 1024 * 1024; // 1,456 tokens
/** At once, so that several are one run. */
const PROMPTS = 8;
/** So many that they fill its KV memory. */
const ROUNDS = 4;
const BEYOND_BYTES = 300e6;

/** What else the process has depends on the system: the bound is for Linux. */
describe.runIf(process.platform === 'linux')('the memory of a worker as `make run` starts it, with SmolLM2', () => {
  let platform: RunningPlatform;
  let weightsBytes: number;
  beforeAll(async () => {
    const { storage } = loadConfig();
    const store = new ModelStore(storage);
    const source = await store.pullModel(MODEL);
    const { compiled, prefill } = await compileForms({
      source,
      weights: 'auto',
      prefillWeights: 'auto',
      memoryBytes: usableMemoryBytes(),
      storeFolder: store.compiled.folder,
    });
    weightsBytes = compiled.manifest.weightsBytes + (prefill?.manifest.weightsBytes ?? 0);
    platform = await startPlatform({ env: { HYDRA_KV_BYTES: String(KV_BYTES), HYDRA_WORKERS: '1' } });
  });
  afterAll(() => platform?.stop());

  async function complete(first: number): Promise<void> {
    const prompt = Array.from({ length: 100 }, (_, i) => 1_000 + ((first * 251 + i * 7) % 40_000));
    const response = await fetch(`${platform.url}/v1/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: MODEL, prompt, max_tokens: 8, temperature: 0, ignore_eos: true }),
    });
    expect(response.status, await response.text()).toBe(200);
  }

  it('given prompts that fill its KV memory, when it has answered them, then it has at most 300 MB beside weights and KV', async () => {
    for (let round = 0; round < ROUNDS; round++) {
      await Promise.all(Array.from({ length: PROMPTS }, (_, i) => complete(PROMPTS * round + i)));
    }
    const residentBytes = await metricsOf(platform, 'worker-0')('process_resident_memory_bytes');
    expect(residentBytes).toBeGreaterThan(weightsBytes);
    expect(residentBytes - weightsBytes - KV_BYTES).toBeLessThanOrEqual(BEYOND_BYTES);
  }, 120_000);
});
