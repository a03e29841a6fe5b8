import { afterEach, describe, expect, it } from 'vitest';
import { hashBlocks, prefixSeed } from '#lib/kv';
import { FakeWorker } from '../test-support/fake-worker.js';
import { post, startTestPlatform, type TestPlatform } from '../test-support/test-platform.js';

let platform: TestPlatform;
afterEach(() => platform.stop());

describe('the list of models', () => {
  it('given an engine that does not say when its model was made, then it is as old as its worker', async () => {
    platform = await startTestPlatform();
    const worker = await new FakeWorker('worker-1', 'undated-model').listen();
    worker.createdUnixS = 0;
    worker.epoch = 1_700_000_000_999;
    platform.scheduler.workers.push(worker);
    platform.scheduler.publish();
    let models: { id: string; created: number }[] = [];
    while (models.every(({ id }) => id !== 'undated-model')) {
      models = ((await (await fetch(`${platform.url}/v1/models`)).json()) as { data: typeof models }).data;
    }
    expect(models).toContainEqual(expect.objectContaining({ id: 'undated-model', created: 1_700_000_000 }));
    expect(models).toContainEqual(expect.objectContaining({ id: 'test-model', created: 1 }));
    worker.kill();
  });
});

describe('adapters', () => {
  it('given an adapter of the file, then it is asked for under its name, placed with its version, and unavailable while no worker has it', async () => {
    const adapters = [
      { id: 'tuned', path: '/adapters/tuned' },
      { id: 'broken', path: '/adapters/broken' },
    ];
    platform = await startTestPlatform({ models: [{ id: 'test-model', adapters }] });
    const ask = (model: string) =>
      post(`${platform.url}/v1/completions`, { model, prompt: 'x'.repeat(40), max_tokens: 2 });
    const codeOf = async (model: string) => {
      const response = await ask(model);
      return [response.status, ((await response.json()) as { error: { code: string } }).error.code];
    };
    expect(await codeOf('tuned')).toEqual([503, 'no_worker']);
    platform.worker.adapterIds = ['tuned', 'by-call'];
    platform.scheduler.publish();
    while ((await ask('tuned')).status !== 200); // until the gateway has heard of it
    expect((await ask('by-call')).status).toBe(200);
    expect(await codeOf('broken')).toEqual([503, 'no_worker']);
    expect(await codeOf('nobody')).toEqual([404, 'model_not_found']);
    const { request } = platform.worker.generations.at(-2)!;
    expect(request).toMatchObject({ modelId: 'test-model', adapterId: 'tuned' });
    const seed = prefixSeed({
      modelFingerprint: 'f'.repeat(64),
      adapterVersion: 'a'.repeat(64),
      salt: request.cacheSalt,
    });
    const placed = platform.scheduler.places.at(-2)!;
    expect(placed).toMatchObject({ modelId: 'test-model', adapterId: 'tuned' });
    expect(placed.prefixHashes).toEqual(Buffer.concat(hashBlocks(request.promptTokenIds, 16, seed)));
  });
});
