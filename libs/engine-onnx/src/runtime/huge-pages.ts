import { readFile } from 'node:fs/promises';
import { platform } from 'node:process';
import { setImmediate as turn } from 'node:timers/promises';
import koffi from 'koffi';
import { enlargeNativeStacks } from './native-stacks.js';

/** `MADV_COLLAPSE`: joins pages at once, whatever the system does of itself. Linux 6.1 and later; older ones refuse. */
const COLLAPSE = 25;
/** On x64, and on arm64 with pages of 4 KiB; elsewhere a range that does not hold one is refused. */
const HUGE_PAGE_BYTES = 2 ** 21;
const KIBIBYTE = 1_024;
/** Chosen: below it a range holds few weights. */
const LEAST_BYTES = 8 * 2 ** 20;
/** Chosen: holes between what is used are filled, and this process's memory may grow by no more than what they are. */
const LEAST_SHARE = 0.95;
/** Joined at once, in up to 0.3 s; then others have their turn. */
const PIECE_BYTES = 64 * 2 ** 20;

/** A range of addresses of this process, [begin, end). */
export interface AddressRange {
  readonly begin: number;
  readonly end: number;
}

/**
 * Puts this process's large and full ranges of memory, which are weights in the kernels' order when a model has just been loaded, on huge pages: a
 * step reads all of them, and with small ones the processor looks an address up for every 4 KiB. Nothing where the system cannot: it only saves time.
 * KV memory stays on small pages, as it says itself (`VirtualMemory`).
 * @returns bytes that are on huge pages because of it, or were before
 */
export async function joinHugePages(signal?: AbortSignal): Promise<number> {
  if (platform !== 'linux') return 0;
  enlargeNativeStacks();
  const c = koffi.load(null);
  const advise = c.func('madvise', 'int', ['int64_t', 'size_t', 'int']);
  let joinedBytes = 0;
  for (const { begin, end } of fullRanges(await readFile('/proc/self/smaps', 'utf8'))) {
    for (let at = begin; at < end; at += PIECE_BYTES) {
      signal?.throwIfAborted();
      const bytes = Math.min(PIECE_BYTES, end - at);
      if (Number(advise(at, bytes, COLLAPSE)) === 0) joinedBytes += bytes;
      await turn();
    }
  }
  return joinedBytes;
}

/**
 * @param smaps  of a process, as `/proc/self/smaps` has it
 * @returns what may be joined of its large private ranges that are no file's and hardly have holes, in whole huge pages
 */
export function fullRanges(smaps: string): AddressRange[] {
  return smaps
    .split(/\n(?=[0-9a-f]+-[0-9a-f]+ )/)
    .filter(isFull)
    .map((range) => {
      const { begin, end } = addressesOf(range);
      return {
        begin: Math.ceil(begin / HUGE_PAGE_BYTES) * HUGE_PAGE_BYTES,
        end: Math.floor(end / HUGE_PAGE_BYTES) * HUGE_PAGE_BYTES,
      };
    });
}

function isFull(range: string): boolean {
  const { begin, end } = addressesOf(range);
  const isOwn = /^\S+ rw-p \S+ \S+ 0 *(\[heap\])?$/m.test(range);
  const residentBytes = KIBIBYTE * Number(/^Rss: +(\d+) kB$/m.exec(range)?.[1] ?? 0);
  return isOwn && end - begin >= LEAST_BYTES && residentBytes >= LEAST_SHARE * (end - begin);
}

function addressesOf(range: string): AddressRange {
  const [, begin = '0', end = '0'] = /^([0-9a-f]+)-([0-9a-f]+) /.exec(range) ?? [];
  return { begin: Number.parseInt(begin, 16), end: Number.parseInt(end, 16) };
}
