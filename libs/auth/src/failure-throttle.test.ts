import { expect, it } from 'vitest';
import { FailureThrottle } from './failure-throttle.js';

const at = { ms: 1_000 };
const throttle = () => new FailureThrottle({ freeFailures: 2, now: () => at.ms });
const failures = (on: FailureThrottle, address: string, count: number) => {
  for (let i = 0; i < count; i++) on.failed(address);
};

it('given more failures than are free, then each further one doubles the wait, to a minute', () => {
  const on = throttle();
  const waits = Array.from({ length: 10 }, () => {
    on.failed('10.0.0.1');
    return on.blockedMs('10.0.0.1');
  });
  expect(waits).toEqual([0, 0, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
  expect(on.blockedMs('10.0.0.2')).toBe(0);
});

it('given a wait that is over, then the address is free until it fails again', () => {
  const on = throttle();
  failures(on, '10.0.0.1', 3);
  at.ms += 1_000;
  expect(on.blockedMs('10.0.0.1')).toBe(0);
  on.failed('10.0.0.1');
  expect(on.blockedMs('10.0.0.1')).toBe(2_000);
});

it('given a quarter of an hour without a failure, then an address begins anew', () => {
  const on = throttle();
  failures(on, '10.0.0.1', 9);
  at.ms += 15 * 60_000 + 1;
  on.failed('10.0.0.1');
  expect(on.blockedMs('10.0.0.1')).toBe(0);
});

it.each([
  ['2001:db8:1:2::1', '2001:db8:1:2:ffff::99', true],
  ['2001:db8:1:2::1', '2001:DB8:0001:2::1', true],
  ['2001:db8:1:2::1', '2001:db8:1:3::1', false],
  ['::1', '::2', true],
  ['fe80::1%eth0', 'fe80::2%eth1', true],
  ['::ffff:10.0.0.1', '10.0.0.1', true],
  ['::ffff:10.0.0.1', '::ffff:10.0.0.2', false],
])('given %s fails, then %s waits with it: %s', (failing, other, waits) => {
  const on = throttle();
  failures(on, failing, 5);
  expect(on.blockedMs(other) > 0).toBe(waits);
});

it('given failures from more addresses than are kept, then memory is bounded and the newest wait', () => {
  const on = throttle();
  for (let i = 0; i < 20_000; i++) failures(on, `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`, 3);
  expect(on.blockedMs('10.0.0.0')).toBe(0);
  expect(on.blockedMs(`10.0.${19_999 >> 8}.${19_999 & 255}`)).toBe(1_000);
});
