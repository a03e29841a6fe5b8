import { afterEach, describe, expect, it } from 'vitest';
import { SchedulerFixture, servedModel } from './scheduler.test-support.js';

const SELF = 'scheduler-0:9091';

let fixture: SchedulerFixture;
afterEach(() => fixture.close());

describe('one of several schedulers that no worker of the model has joined', () => {
  const start = async () => {
    fixture = await SchedulerFixture.start({ target: SELF, targets: [SELF, 'scheduler-1:9091'] });
  };
  const elsewhere = { outcome: { $case: 'redirect', value: { target: '' } } };

  it('given a caller that knows others, when it asks, then it is to ask those, and nothing is claimed', async () => {
    await start();
    const worker = await fixture.join('of-another-model', { models: [servedModel({ modelId: 'n' })] });
    expect(await fixture.place({ asksOthers: true }).response).toMatchObject(elsewhere);
    worker.report({ schedulers: [SELF] });
    await worker.next('leading'); // of its own model, and of no other
    expect(await fixture.place({ asksOthers: true }).response).toMatchObject(elsewhere);
    const latest = await fixture.join('of-the-model');
    expect(await latest.next('leading')).toMatchObject({ directive: { value: { modelId: 'n' } } });
    expect((await fixture.place({ asksOthers: true }).answer).lease.workerId).toBe('of-the-model');
  });

  it('given a caller that knows no others, when it asks, then it waits until a worker joins', async () => {
    await start();
    const place = fixture.place({ asksOthers: false });
    await fixture.join('late');
    expect((await place.answer).lease.workerId).toBe('late');
  });

  it('given a single scheduler, when asked by whoever, then it lets them wait', async () => {
    fixture = await SchedulerFixture.start();
    const place = fixture.place({ asksOthers: true });
    await fixture.join('late');
    expect((await place.answer).lease.workerId).toBe('late');
  });
});
