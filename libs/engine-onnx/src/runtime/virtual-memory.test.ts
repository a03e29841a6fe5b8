import { platform } from 'node:process';
import koffi from 'koffi';
import { afterEach, describe, expect, it } from 'vitest';
import { residentBytes } from '../testing/resident-bytes.js';
import { VirtualMemory } from './virtual-memory.js';

describe.runIf(VirtualMemory.pageBytes() !== undefined)('virtual memory', () => {
  const pageBytes = VirtualMemory.pageBytes()!;
  let memory: VirtualMemory;
  afterEach(() => memory.close());

  function reserve(byteLength: number) {
    memory = VirtualMemory.reserve(byteLength);
    return new Uint8Array(koffi.view(memory.address, Math.min(byteLength, 2 ** 30)));
  }

  it('given more addresses than the machine has memory, when a few pages are written, then only they are resident', () => {
    const bytes = reserve(2 ** 40);
    for (let page = 0; page < 100; page++) bytes[page * 7 * pageBytes] = 1;
    if (platform === 'linux') expect(residentBytes(memory)).toBe(100 * pageBytes);
    memory.release(0, 700 * pageBytes);
    if (platform === 'linux') expect(residentBytes(memory)).toBe(0);
    expect(bytes[0]).toBe(0);
  });

  it('given pages of which some are given back, when read, then those are zero and the others as they were', () => {
    const bytes = reserve(4 * pageBytes);
    bytes.fill(7);
    memory.release(pageBytes, 2 * pageBytes);
    expect([bytes[pageBytes - 1], bytes[pageBytes], bytes[3 * pageBytes - 1], bytes[3 * pageBytes]]).toEqual([
      7, 0, 0, 7,
    ]);
    bytes[pageBytes] = 9;
    expect(bytes[pageBytes]).toBe(9);
  });

  it('given bytes, when copied, then they stand in the other place, too', () => {
    const bytes = reserve(2 * pageBytes);
    bytes.set([1, 2, 3], 5);
    memory.copy(pageBytes + 9, 5, 3);
    expect([...bytes.subarray(pageBytes + 8, pageBytes + 13)]).toEqual([0, 1, 2, 3, 0]);
  });

  it('given a place outside, or a closed memory, when touched, then it is refused', () => {
    reserve(pageBytes);
    expect(() => memory.copy(0, pageBytes - 1, 2)).toThrow(`are not in a range of ${pageBytes}`);
    expect(() => memory.release(-pageBytes, pageBytes)).toThrow(RangeError);
    memory.close();
    memory.close();
    expect(() => memory.release(0, pageBytes)).toThrow(RangeError);
  });

  it('given more addresses than there are, when reserved, then it says so', () => {
    memory = VirtualMemory.reserve(pageBytes);
    expect(() => VirtualMemory.reserve(2 ** 50)).toThrow(`The system gives no ${2 ** 50} bytes of addresses.`);
  });
});
