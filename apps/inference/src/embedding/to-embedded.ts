import { endianness } from 'node:os';
import type { Embedded } from '#lib/contracts';
import type { EmbeddingOutcome } from '#lib/engine';

/** Vectors as they travel: little-endian, without a copy where the machine is that too. */
export function toEmbedded({ vectors, dimensions, usage }: Extract<EmbeddingOutcome, { kind: 'embedded' }>): Embedded {
  const bytes = Buffer.from(vectors.buffer, vectors.byteOffset, vectors.byteLength);
  return { vectors: endianness() === 'LE' ? bytes : Buffer.from(bytes).swap32(), dimensions, usage };
}
