import { existsSync, readFileSync } from 'node:fs';
import { release } from 'node:os';
import koffi from 'koffi';
import { describe, expect, it } from 'vitest';
import { fullRanges, joinHugePages } from './huge-pages.js';
import { VirtualMemory } from './virtual-memory.js';

const range = (line: string, residentKb: number) =>
  `${line}\nSize: 65536 kB\nRss:           ${residentKb} kB\nVmFlags: rd wr mr mw me ac sd\n`;

describe('fullRanges', () => {
  it('given what a process has mapped, when asked for, then it is large private memory without holes, in whole huge pages', () => {
    const smaps = [
      range('00400000-04400000 r-xp 00000000 fd:00 1234      /usr/bin/node', 65_536),
      range('10000000-14100000 rw-p 00000000 00:00 0         [heap]', 66_000),
      range('7f0000100000-7f0004100000 rw-p 00000000 00:00 0 ', 65_536),
      range('7f1000000000-7f1004000000 rw-p 00000000 00:00 0 ', 40_000),
      range('7f2000000000-7f2004000000 rw-p 00000000 fd:00 99 /models/weights.bin', 65_536),
      range('7f3000000000-7f3000100000 rw-p 00000000 00:00 0 ', 1_024),
      range('7f4000000000-7f4004000000 rw-s 00000000 00:01 77 ', 65_536),
    ].join('');
    expect(fullRanges(smaps)).toEqual([
      { begin: 0x10000000, end: 0x14000000 },
      { begin: 0x7f0000200000, end: 0x7f0004000000 },
    ]);
  });
});

/** Of the range of this process's memory that has an address. */
function hugeKb(address: bigint): number {
  const ranges = readFileSync('/proc/self/smaps', 'utf8').split(/\n(?=[0-9a-f]+-[0-9a-f]+ )/);
  const range = ranges.find((one) => {
    const [, begin, end] = /^([0-9a-f]+)-([0-9a-f]+) /.exec(one) ?? [];
    return BigInt(`0x${begin}`) <= address && address < BigInt(`0x${end}`);
  });
  return Number(/^AnonHugePages: +(\d+) kB$/m.exec(range ?? '')?.[1]);
}

const ENABLED = '/sys/kernel/mm/transparent_hugepage/enabled';
const canJoin =
  process.platform === 'linux' &&
  Number.parseFloat(release()) >= 6.1 &&
  existsSync(ENABLED) &&
  !readFileSync(ENABLED, 'utf8').includes('[never]');

describe.runIf(canJoin)('joinHugePages', () => {
  it('given memory that is full, when its pages are joined, then it is on huge ones and has what was in it', async () => {
    const buffer = Buffer.alloc(32 * 2 ** 20, 'weights');
    const address = koffi.address(buffer);
    await joinHugePages();
    expect(hugeKb(address + BigInt(buffer.length / 2))).toBeGreaterThan(0);
    expect(buffer.equals(Buffer.alloc(buffer.length, 'weights'))).toBe(true);
  });

  it('given KV memory, when pages are joined, then its own stay small', async () => {
    const memory = VirtualMemory.reserve(16 * 2 ** 20);
    memory.write(0, Buffer.alloc(16 * 2 ** 20, 1));
    await joinHugePages();
    expect(hugeKb(memory.address)).toBe(0);
    memory.close();
  });

  it('given that the model is no longer wanted, when pages are joined, then that ends', async () => {
    const kept = Buffer.alloc(32 * 2 ** 20, 1);
    await expect(joinHugePages(AbortSignal.abort(new Error('unloaded')))).rejects.toThrow('unloaded');
    expect(kept[0]).toBe(1);
  });
});
