import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Llama's and BERT's. */
const EMBEDDINGS = ['model.embed_tokens.weight', 'embeddings.word_embeddings.weight'];

/**
 * Makes the embedding of one token NaN in a compiled fp32 model whose output layer has weights of its own: whatever attends
 * to that token has no logits, and no vector. The compiler refuses such numbers, so they come after it, as from a damaged file.
 * @param source    folder of safetensors that it was compiled from
 * @param compiled  folder of the compiled model; changed
 */
export function poisonToken(source: string, compiled: string, tokenId: number): void {
  const row = embeddingRow(readFileSync(join(source, 'model.safetensors')), tokenId);
  const path = join(compiled, 'weights.bin');
  const weights = readFileSync(path);
  const at = weights.indexOf(row);
  if (at < 0) throw new Error(`${path} has no embedding of token ${tokenId}`);
  for (let offset = at; offset < at + row.length; offset += 4) weights.writeFloatLE(Number.NaN, offset);
  writeFileSync(path, weights);
}

function embeddingRow(safetensors: Buffer, tokenId: number): Buffer {
  const headerBytes = Number(safetensors.readBigUInt64LE(0));
  const header = JSON.parse(safetensors.toString('utf8', 8, 8 + headerBytes)) as Record<
    string,
    { dtype: string; shape: [number, number]; data_offsets: [number, number] }
  >;
  const name = EMBEDDINGS.find((one) => one in header)!;
  const { dtype, shape, data_offsets } = header[name]!;
  if (dtype !== 'F32') throw new Error(`${name} is of type ${dtype}, not F32`);
  const rowBytes = shape[1] * 4;
  const at = 8 + headerBytes + data_offsets[0] + tokenId * rowBytes;
  return safetensors.subarray(at, at + rowBytes);
}
