import { z } from 'zod';
import { toJsonSchema } from './json-schema.js';

export const EMBEDDING_LIST_SCHEMA = toJsonSchema(
  z
    .object({
      object: z.literal('list'),
      data: z.array(
        z.object({
          object: z.literal('embedding'),
          index: z.int().meta({ description: 'Place of the input in the request.' }),
          embedding: z.union([z.array(z.number()), z.string()]).meta({
            description: 'The vector, most often of length 1; with `base64`, its little-endian float32.',
          }),
        }),
      ),
      model: z.string().meta({ description: 'The model as asked for.' }),
      usage: z.object({ prompt_tokens: z.int(), total_tokens: z.int() }),
    })
    .meta({ description: 'The vectors, one per input, in their order.' }),
);

/** @param vectors  float32, little-endian, row-major [inputs, dimensions] */
export function embeddingListBody(
  model: string,
  encoding: 'float' | 'base64',
  { vectors, dimensions }: { readonly vectors: Buffer; readonly dimensions: number },
  promptTokens: number,
) {
  const rowBytes = dimensions * 4;
  const data = Array.from({ length: vectors.length / rowBytes }, (_, index) => {
    const row = vectors.subarray(index * rowBytes, (index + 1) * rowBytes);
    const embedding =
      encoding === 'base64'
        ? row.toString('base64')
        : Array.from({ length: dimensions }, (_element, at) => row.readFloatLE(at * 4));
    return { object: 'embedding' as const, index, embedding };
  });
  const usage = { prompt_tokens: promptTokens, total_tokens: promptTokens };
  return { object: 'list' as const, data, model, usage };
}
