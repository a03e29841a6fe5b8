/**
 * `node bench/memory-map.mjs PROCESS_ID`: what the memory of a process is made of, as Linux says: resident bytes by file, and of
 * what has no file by who asked for it. V8 takes pages of 256 KiB; glibc's arenas begin at multiples of 64 MiB.
 */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';

const SHOWN = 16;
const V8_PAGE_BYTES = 256 << 10;
const ARENA_BYTES = 64 << 20;

const processId = process.argv[2];
if (processId === undefined) throw new RangeError('usage: node bench/memory-map.mjs PROCESS_ID');
const residentBytes = new Map();
let owner = '';
for (const line of readFileSync(`/proc/${processId}/smaps`, 'utf8').split('\n')) {
  const mapping = /^([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \S+ *(.*)$/.exec(line);
  if (mapping !== null) owner = ownerOf(Number(`0x${mapping[1]}`), Number(`0x${mapping[2]}`), mapping[3], mapping[4]);
  const resident = /^Rss: +(\d+) kB/.exec(line);
  if (resident !== null) residentBytes.set(owner, (residentBytes.get(owner) ?? 0) + Number(resident[1]) * 1024);
}
const owners = [...residentBytes].sort(([, a], [, b]) => b - a);
print(
  'all',
  owners.reduce((sum, [, bytes]) => sum + bytes, 0),
);
for (const [name, bytes] of owners.slice(0, SHOWN)) print(name, bytes);

function ownerOf(start, end, access, path) {
  if (path !== '') return basename(path);
  if (access.includes('x')) return 'compiled JavaScript';
  if (end - start === V8_PAGE_BYTES) return "V8's pages";
  if (start % ARENA_BYTES === 0) return "glibc's arenas";
  return 'other memory without a file';
}

function print(name, bytes) {
  console.log(`${(bytes / 1e6).toFixed(1).padStart(8)} MB  ${name}`);
}
