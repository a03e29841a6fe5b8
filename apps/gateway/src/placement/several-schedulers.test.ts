import { afterEach, describe, expect, it } from 'vitest';
import { schedulersInOrder } from '#lib/placement';
import { FakeScheduler } from '../test-support/fake-scheduler.js';
import { dataOf, post, startTestPlatform, type TestPlatform } from '../test-support/test-platform.js';

/** A bound for a stuck start, not a claim. */
const LONGEST_TEST_MS = 120_000;

let platform: TestPlatform;
/** The first in the model's order, and the other one. */
let first: FakeScheduler;
let second: FakeScheduler;
let beside: FakeScheduler | undefined;
afterEach(async () => {
  await platform?.stop();
  beside?.kill();
});

const ask = async () => {
  const response = await post(`${platform.url}/v1/completions`, { model: 'default', prompt: 'hello', stream: true });
  return { status: response.status, last: dataOf(await response.text()).at(-1) };
};

describe('a scheduler that no worker of the model has joined', { timeout: LONGEST_TEST_MS }, () => {
  /** The first of the model's order has no workers, as in a new life of it; the second has them. */
  const start = async () => {
    beside = await new FakeScheduler([]).listen();
    platform = await startTestPlatform({ otherSchedulers: [beside] });
    const [target] = schedulersInOrder('test-model', [platform.scheduler.target, beside.target]);
    [first, second] = target === beside.target ? [beside, platform.scheduler] : [platform.scheduler, beside];
    second.workers = [...platform.workers];
    first.workers = [];
    platform.worker.onSubmit = (generation) => void generation.runToEnd();
  };

  it('given another scheduler that has some, when asked, then the request does not wait at the first', async () => {
    await start();
    expect(await ask()).toEqual({ status: 200, last: '[DONE]' });
    expect(first.places.map(({ asksOthers }) => asksOthers)).toEqual([true]);
    expect(second.places.map(({ asksOthers }) => asksOthers)).toEqual([false]);
    expect(platform.worker.generations[0]?.request.leaseId).toBe('lease-1');
  });

  it('given no other scheduler in reach, when asked, then the request waits at it for workers', async () => {
    await start();
    second.kill();
    const answer = ask();
    await first.changed.until(() => first.places.some(({ asksOthers }) => !asksOthers));
    await answer;
  });
});
