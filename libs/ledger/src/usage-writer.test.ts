import { expect, it, vi } from 'vitest';
import type { UsageEntry } from '#lib/limits';
import { UsageWriter } from './usage-writer.js';

const entry = (id: number) => ({ id: String(id) }) as UsageEntry; // the writer looks at nothing

it('given more entries than a batch, then they are written in order, in bounded batches', async () => {
  const batches: UsageEntry[][] = [];
  const writer = new UsageWriter(
    async (entries) => void batches.push([...entries]),
    () => {},
  );
  for (let i = 0; i < 1_234; i++) writer.add(entry(i));
  await writer.flush();
  expect(Math.max(...batches.map(({ length }) => length))).toBe(500);
  expect(batches.flat().map(({ id }) => Number(id))).toEqual(Array.from({ length: 1_234 }, (_, i) => i));
});

it('given a ledger that cannot be reached for a while, then nothing is lost, and what waits is bounded by who asks', async () => {
  const written: UsageEntry[] = [];
  let isAway = true;
  const failures: unknown[] = [];
  const writer = new UsageWriter(
    async (entries) => {
      if (isAway) throw new Error('away');
      written.push(...entries);
    },
    (error) => failures.push(error),
  );
  for (let i = 0; i < 20_000; i++) writer.add(entry(i));
  expect(writer.isFull).toBe(true);
  await vi.waitFor(() => expect(failures.length).toBeGreaterThan(1), 10_000); // tried again
  await expect(writer.flush()).rejects.toThrow('away');
  isAway = false;
  await vi.waitFor(() => expect(writer.waitingCount).toBe(0), 10_000);
  expect(written.map(({ id }) => Number(id))).toEqual(Array.from({ length: 20_000 }, (_, i) => i));
  expect(writer.isFull).toBe(false);
});
