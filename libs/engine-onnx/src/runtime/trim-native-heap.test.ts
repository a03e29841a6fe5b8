import { readFileSync } from 'node:fs';
import koffi from 'koffi';
import { expect, it } from 'vitest';
import { enlargeNativeStacks } from './native-stacks.js';
import { trimNativeHeap } from './trim-native-heap.js';

/** Small enough that glibc takes it from a heap, which it keeps, and not from the system alone. */
const PIECE_BYTES = 64 * 1024;
const PIECES = 1_000;

it.runIf(process.platform === 'linux')(
  'given native memory that was freed below some in use, when trimmed, then the system has it again',
  () => {
    enlargeNativeStacks();
    const c = koffi.load(null);
    const allocate = c.func('malloc', 'void*', ['size_t']);
    const fill = c.func('memset', 'void*', ['void*', 'int', 'size_t']);
    const free = c.func('free', 'void', ['void*']);
    const pieces = Array.from({ length: PIECES }, () => fill(allocate(PIECE_BYTES), 1, PIECE_BYTES));
    const last = pieces.pop();
    for (const piece of pieces) free(piece);
    const before = anonymousBytes();
    trimNativeHeap();
    expect(before - anonymousBytes()).toBeGreaterThan((PIECES * PIECE_BYTES) / 2);
    free(last);
  },
);

function anonymousBytes(): number {
  return Number(/^RssAnon:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) * 1024;
}
