import { readFileSync } from 'node:fs';
import type { VirtualMemory } from '../runtime/virtual-memory.js';

/** What of the range is resident, as Linux says. */
export function residentBytes({ address, byteLength }: VirtualMemory): number {
  const end = address + BigInt(byteLength);
  let [isInside, kibibytes] = [false, 0];
  for (const line of readFileSync('/proc/self/smaps', 'utf8').split('\n')) {
    const range = /^([0-9a-f]+)-([0-9a-f]+) /.exec(line);
    if (range !== null) isInside = BigInt(`0x${range[1]}`) >= address && BigInt(`0x${range[2]}`) <= end;
    else if (isInside && line.startsWith('Rss:')) kibibytes += Number(/\d+/.exec(line)![0]);
  }
  return kibibytes * 1024;
}
