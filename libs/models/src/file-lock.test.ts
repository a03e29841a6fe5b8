import { existsSync } from 'node:fs';
import { readdir, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { deadProcessId } from '../testing/dead-process.js';
import { tempFolder } from '../testing/temp-folder.js';
import { FileLock } from './file-lock.js';

describe('FileLock', () => {
  it('given a held lock, when another wants it, then it waits until it is released', async () => {
    const path = join(await tempFolder(), 'lock');
    const first = await FileLock.acquire(path);
    const order: string[] = [];
    const onWait = (holder: { processId: number }) => {
      order.push(`waits for ${holder.processId === process.pid}`);
      order.push('released');
      void first.release();
    };
    const second = await FileLock.acquire(path, { onWait });
    order.push('taken');
    expect(order).toEqual(['waits for true', 'released', 'taken']);
    await second.release();
    expect(existsSync(path)).toBe(false);
  });

  it('given any number that want it at once, when each adds one, then nobody was in the way', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 2, max: 5 }), async (count) => {
        const path = join(await tempFolder(), 'lock');
        let inside = 0;
        let most = 0;
        await Promise.all(
          Array.from({ length: count }, async () => {
            const lock = await FileLock.acquire(path);
            inside += 1;
            most = Math.max(most, inside);
            await readdir('.');
            inside -= 1;
            await lock.release();
          }),
        );
        expect(most).toBe(1);
      }),
      { numRuns: 5 },
    );
  });

  it('given a lock of a process that died, when many want it, then one after the other has it', async () => {
    const path = join(await tempFolder(), 'lock');
    await writeFile(path, JSON.stringify({ processId: await deadProcessId(), host: hostname(), nonce: 'dead' }));
    let inside = 0;
    await Promise.all(
      Array.from({ length: 4 }, async () => {
        const lock = await FileLock.acquire(path);
        inside += 1;
        expect(inside).toBe(1);
        await lock.assertHeld();
        inside -= 1;
        await lock.release();
      }),
    );
    expect(await readdir(join(path, '..'))).toEqual([]);
  });

  it('given a lock of another host, when it is silent for long, then it is taken over, before that it is not', async () => {
    const path = join(await tempFolder(), 'lock');
    await writeFile(path, JSON.stringify({ processId: 1, host: 'another', nonce: 'x' }));
    expect(await FileLock.holderOf(path)).toMatchObject({ host: 'another' });
    const longAgo = new Date(Date.now() - 120_000);
    await utimes(path, longAgo, longAgo);
    expect(await FileLock.holderOf(path)).toBeUndefined();
    await (await FileLock.acquire(path)).release();
  });

  // Where processes can be looked at, a number that is used again does not keep a lock alive.
  it.runIf(existsSync('/proc/self/stat'))(
    'given a lock of a process whose id has another process now, when wanted, then it is taken over at once',
    async () => {
      const path = join(await tempFolder(), 'lock');
      const holder = { processId: process.pid, host: hostname(), nonce: 'earlier', processStart: '1' };
      await writeFile(path, JSON.stringify(holder));
      await (await FileLock.acquire(path)).release();
    },
  );

  it('given a holder whose lock was taken over, when it asks, then it learns of it and leaves the lock alone', async () => {
    const path = join(await tempFolder(), 'lock');
    const paused = await FileLock.acquire(path);
    await writeFile(path, JSON.stringify({ processId: process.pid, host: hostname(), nonce: 'the next' }));
    await expect(paused.assertHeld()).rejects.toThrow(/was taken over by another process/);
    await paused.release();
    expect(await FileLock.holderOf(path)).toMatchObject({ nonce: 'the next' });
  });

  it('given an abort while waiting, when it comes, then the wait ends with its reason', async () => {
    const path = join(await tempFolder(), 'lock');
    const held = await FileLock.acquire(path);
    const abort = new AbortController();
    const waiting = FileLock.acquire(path, { signal: abort.signal, onWait: () => abort.abort(new Error('Ctrl-C')) });
    await expect(waiting).rejects.toThrow('Ctrl-C');
    await held.release();
  });
});
