import { EventEmitter, once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { hydraSchema } from '#lib/config';
import { type FleetSnapshot, Registration } from '#lib/contracts';
import { createLogger } from '#lib/observability';
import { createStrategy, DEFAULT_STRATEGY_OPTIONS, STRATEGY_NAMES } from '#lib/placement';
import { FleetWatchers, type WatchCall } from './fleet-watchers.js';
import { ModelStrategies } from './model-strategies.js';
import { PlacementDesk } from './placement-desk.js';
import { PlacementMetrics } from './placement-metrics.js';

/** A call whose client takes a snapshot only when told to. */
class SlowCall extends EventEmitter {
  readonly written: FleetSnapshot[] = [];
  private taken = () => {};

  write(snapshot: FleetSnapshot, onTaken: () => void): boolean {
    this.written.push(snapshot);
    this.taken = onTaken;
    this.emit('written');
    return true;
  }

  take(): void {
    this.taken();
  }
}

function watchedDesk() {
  const config = hydraSchema.parse({});
  const strategies = STRATEGY_NAMES.map((name) => createStrategy(name, DEFAULT_STRATEGY_OPTIONS));
  const logger = createLogger('test', { level: 'silent', format: 'json' });
  const desk = new PlacementDesk(config, logger, new ModelStrategies(config, strategies), new PlacementMetrics());
  return { desk, watchers: new FleetWatchers(desk) };
}

describe('FleetWatchers', () => {
  it('given a watcher that takes nothing, when much changes, then one snapshot is on its way, and the next is the latest', async () => {
    const { desk, watchers } = watchedDesk();
    const call = new SlowCall();
    let endCount = 0;
    watchers.watch(call as unknown as WatchCall, () => endCount++); // what a watcher uses of a call
    for (let worker = 0; worker < 500; worker++) {
      desk.register(Registration.fromPartial({ workerId: `w${worker}`, workerEpoch: 1, target: 't' }));
    }
    expect(call.written.map(({ members }) => members.length)).toEqual([0]);
    const next = once(call, 'written');
    call.take();
    await next;
    expect(call.written.map(({ members }) => members.length)).toEqual([0, 500]);
    call.emit('cancelled');
    call.emit('close');
    desk.removeWorker('w0', 1);
    call.take();
    expect(call.written.length).toBe(2);
    expect(endCount).toBe(1);
    desk.beforeApplicationShutdown();
  });
});
