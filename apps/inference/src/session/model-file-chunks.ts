import type { ModelFileChunk } from '#lib/contracts';

/** As the protocol has it. */
const MAX_CHUNK_BYTES = 1024 * 1024;

/** Files one after another, each in order, the last piece marked; an empty file is one empty piece. */
export function* modelFileChunks(files: ReadonlyMap<string, Uint8Array>): Generator<ModelFileChunk> {
  for (const [name, bytes] of files) {
    let from = 0;
    do {
      const to = Math.min(from + MAX_CHUNK_BYTES, bytes.length);
      const data = Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from);
      yield { name, data, last: to === bytes.length };
      from = to;
    } while (from < bytes.length);
  }
}
