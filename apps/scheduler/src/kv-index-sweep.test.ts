import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { KvIndex } from '#lib/placement';
import { KvIndexSweep } from './kv-index-sweep.js';

describe('KvIndexSweep', () => {
  it('given a worker that leaves, then others have their turns until all that it held is cleared', async () => {
    const index = new KvIndex({ capacityBlocks: 70_000, capacityWorkers: 2 }); // 131,072 slots
    const sweep = new KvIndexSweep(index);
    sweep.wake();
    for (let block = 1; block <= 1_000; block++) index.stored('gone', Buffer.alloc(16, `block ${block} `));
    index.stored('here', Buffer.alloc(16, 'block 1 '));
    index.removeWorker('gone');
    sweep.wake();
    sweep.wake(); // it is under way
    let turns = 0;
    for (; index.needsSweep; turns++) await nextTurn();
    expect(turns).toBe(4);
    expect(index.size).toBe(1);
  });
});
