import { expect, it } from 'vitest';
import { ProgressMeter, type PullProgress } from './progress-meter.js';

it('given a resumed file, when the rest arrives, then only the rest counts for rate and ETA', () => {
  let nowMs = 0;
  const reports: PullProgress[] = [];
  using meter = new ProgressMeter(
    'hub',
    1_000,
    (progress) => reports.push(progress),
    () => nowMs,
  );
  meter.positioned(600);
  meter.received(100);
  nowMs = 1_000;
  meter.measure();
  expect(reports.at(-1)).toEqual({
    phase: 'download',
    source: 'hub',
    bytesDone: 700,
    bytesTotal: 1_000,
    bytesPerSecond: 100,
    etaSeconds: 3,
  });
});

it('given a line that stands still, when measured, then the rate falls and the ETA grows', () => {
  let nowMs = 0;
  const reports: PullProgress[] = [];
  using meter = new ProgressMeter(
    'hub',
    1_000,
    (progress) => reports.push(progress),
    () => nowMs,
  );
  meter.positioned(0);
  meter.received(100);
  for (nowMs = 1_000; nowMs <= 10_000; nowMs += 1_000) meter.measure();
  const rates = reports.slice(1).map(({ bytesPerSecond }) => bytesPerSecond);
  expect(rates).toEqual([...rates].sort((a, b) => b - a));
  expect(rates.at(-1)).toBeLessThan(10);
});
