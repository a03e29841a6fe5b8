import { afterEach, describe, expect, it } from 'vitest';
import { FakeWorker } from '../test-support/fake-worker.js';
import { startTestPlatform, type TestPlatform } from '../test-support/test-platform.js';

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
