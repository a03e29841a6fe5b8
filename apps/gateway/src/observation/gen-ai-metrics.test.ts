import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { FailureCode } from '#lib/contracts';
import { metricSum } from '../../../../test/support/metrics.js';
import { post, startTestPlatform, type TestPlatform } from '../test-support/test-platform.js';

let platform: TestPlatform;
beforeAll(async () => {
  platform = await startTestPlatform();
});
afterAll(() => platform.stop());

const metrics = async () => (await fetch(`${platform.url}/metrics`)).text();

it('given answers and a failure, when scraped, then gen_ai.server.* has them by operation, model and error', async () => {
  await (await post(`${platform.url}/v1/completions`, { model: 'default', prompt: 'a', max_tokens: 4 })).text();
  const chat = { model: 'default', messages: [{ role: 'user', content: 'a' }], max_tokens: 4, stream: true };
  await (await post(`${platform.url}/v1/chat/completions`, chat)).text();
  const count = async (name: string, labels: Record<string, string>) =>
    metricSum(await metrics(), `gen_ai_server_${name}_seconds_count`, {
      gen_ai_request_model: 'test-model',
      ...labels,
    });
  for (const operation of ['text_completion', 'chat']) {
    const labels = { gen_ai_operation_name: operation, gen_ai_provider_name: 'hydraserve' };
    await vi.waitFor(async () => expect(await count('request_duration', labels)).toBe(1), 10_000);
    expect(await count('time_to_first_token', labels)).toBe(1);
    expect(await count('time_per_output_token', labels)).toBe(1);
  }
  platform.worker.onSubmit = (generation) => generation.fail(FailureCode.ENGINE_ERROR, false);
  expect((await post(`${platform.url}/v1/completions`, { model: 'default', prompt: 'a' })).status).toBe(500);
  const failed = { gen_ai_operation_name: 'text_completion', error_type: 'engine_error' };
  await vi.waitFor(async () => expect(await count('request_duration', failed)).toBe(1), 10_000);
  expect(await count('time_to_first_token', { gen_ai_operation_name: 'text_completion' })).toBe(1);
});
