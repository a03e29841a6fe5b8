import { getHeapStatistics } from 'node:v8';
import { expect, it } from 'vitest';
import { collectGarbage } from './collect-garbage.js';

it('given a heap that has grown with what is not used any more, when collected, then it is as small as before', () => {
  collectGarbage();
  const smallBytes = getHeapStatistics().total_heap_size;
  allocate();
  const grownBytes = getHeapStatistics().total_heap_size;
  collectGarbage();
  const leftBytes = getHeapStatistics().total_heap_size - smallBytes;
  expect(grownBytes - smallBytes).toBeGreaterThan(50e6);
  expect(leftBytes).toBeLessThan((grownBytes - smallBytes) / 4);
});

function allocate(): void {
  const kept: object[] = [];
  for (let i = 0; i < 2_000_000; i++) kept.push({ i });
  expect(kept).toHaveLength(2_000_000);
}
