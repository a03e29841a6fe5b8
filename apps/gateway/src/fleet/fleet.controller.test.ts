import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { post, startTestPlatform, type TestPlatform } from '../test-support/test-platform.js';
import type { FleetResource } from './fleet-resource.js';

let platform: TestPlatform;
beforeAll(async () => {
  platform = await startTestPlatform({ workerCount: 2 });
});
afterAll(() => platform.stop());

const read = async (path: string): Promise<unknown> => (await fetch(`${platform.url}${path}`)).json();
const readFleet = async () => (await read('/v1/fleet')) as FleetResource;
/** Answers are kept for a moment. */
async function fleetWhere(holds: (fleet: FleetResource) => boolean): Promise<FleetResource> {
  for (;;) {
    const fleet = await readFleet();
    if (holds(fleet)) return fleet;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

describe('GET /v1/fleet', () => {
  it('given workers, then each is there with what it serves, and each model with its workers', async () => {
    const fleet = await readFleet();
    expect(fleet).toMatchObject({ object: 'fleet', in_flight: 0, schedulers: [{ connected: true, waiting: 0 }] });
    expect(fleet.workers.map(({ id, connected }) => [id, connected])).toEqual([
      ['worker-0', true],
      ['worker-1', true],
    ]);
    expect(fleet.models).toMatchObject([{ id: 'test-model', workers: 2, capabilities: ['completion', 'chat'] }]);
  });

  it('given answers, then the histograms and totals of /metrics count them', async () => {
    const body = { model: 'default', prompt: 'hi', max_tokens: 3 };
    for (let i = 0; i < 2; i++) expect((await post(`${platform.url}/v1/completions`, body)).status).toBe(200);
    const total = (counts: readonly number[]) => counts.reduce((sum, value) => sum + value, 0);
    const counted = await fleetWhere(({ models }) => models[0]?.completion_tokens === 6);
    const model = counted.models[0]!;
    expect(total(model.ttft.counts)).toBe(2);
    expect(model.ttft.counts).toHaveLength(counted.latency_buckets_seconds.length + 1);
    expect(model.ttft.sum_seconds).toBeGreaterThan(0);
    const metrics = await (await fetch(`${platform.url}/metrics`)).text();
    expect(metrics).toContain('hydra_gateway_time_to_first_token_seconds_count{model="test-model"} 2');
    const below = model.ttft.counts.slice(0, 5).reduce((sum, value) => sum + value, 0);
    expect(metrics).toContain(
      `hydra_gateway_time_to_first_token_seconds_bucket{le="0.01",model="test-model"} ${below}`,
    );
  });

  it('given many who ask at once, then the answer is made once', async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, readFleet));
    expect(new Set(answers.map(({ observed_at_ms }) => observed_at_ms)).size).toBeLessThanOrEqual(2);
  });
});

describe('GET /v1/me', () => {
  it('given no credential where none is needed, then it is nobody in particular', async () => {
    expect(await read('/v1/me')).toEqual({
      ...{ object: 'caller', kind: 'anonymous', tenant: 'anonymous', subject: 'anonymous' },
      ...{ roles: ['user'], scopes: ['inference', 'metrics'] },
    });
  });
});
