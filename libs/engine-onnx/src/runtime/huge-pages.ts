import { readFile } from 'node:fs/promises';
import { platform } from 'node:process';
import { setImmediate as turn } from 'node:timers/promises';
import { bindC } from './c-library.js';

/** `MADV_COLLAPSE`: joins pages at once. Linux 6.1 and later; older ones refuse. */
const COLLAPSE = 25;
/** On x64, and on arm64 with pages of 4 KiB; elsewhere a range that does not hold one is refused. */
const HUGE_PAGE_BYTES = 2 ** 21;
const KIBIBYTE = 1_024;
/** Chosen: below it a range holds few weights. */
const LEAST_BYTES = 8 * 2 ** 20;
/** Chosen: joining fills holes, so the memory of a range may grow by so much. */
const MOST_HOLE_BYTES = 4 * 2 ** 20;
/** Joined at once, in up to 0.3 s; then others have their turn. */
const PIECE_BYTES = 64 * 2 ** 20;

/** A range of addresses of this process, [begin, end). */
export interface AddressRange {
  readonly begin: number;
  readonly end: number;
}

/**
 * Puts this process's large and full ranges of memory, which are weights in the kernels' order when a model has just been loaded, on huge pages: a
 * step reads all of them, and with small ones the processor looks an address up for every 4 KiB. Nothing where the system cannot or is not to
 * (`transparent_hugepage/enabled: never`): it only saves time. KV memory stays on small pages, as it says itself (`VirtualMemory`).
 */
export async function joinHugePages(signal?: AbortSignal): Promise<void> {
  if (platform !== 'linux' || !(await areWanted())) return;
  const c = bindC();
  const smaps = await readFile('/proc/self/smaps', 'utf8').catch(() => ''); // some kernels do not tell
  for (const { begin, end } of fullRanges(smaps)) {
    for (let at = begin; at < end; at += PIECE_BYTES) {
      signal?.throwIfAborted();
      c.advise(at, Math.min(PIECE_BYTES, end - at), COLLAPSE);
      await turn();
    }
  }
}

/** `MADV_COLLAPSE` itself does not ask. */
async function areWanted(): Promise<boolean> {
  const enabled = await readFile('/sys/kernel/mm/transparent_hugepage/enabled', 'utf8').catch(() => '[never]');
  return !enabled.includes('[never]');
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
  return isOwn && end - begin >= LEAST_BYTES && end - begin - residentBytes <= MOST_HOLE_BYTES;
}

function addressesOf(range: string): AddressRange {
  const [, begin = '0', end = '0'] = /^([0-9a-f]+)-([0-9a-f]+) /.exec(range) ?? [];
  return { begin: Number.parseInt(begin, 16), end: Number.parseInt(end, 16) };
}
