import type { WorkerClient } from '#lib/contracts';
import { readStream } from './read-stream.js';

/** The largest tokenizers (256k entries) have 35 MB. */
const MAX_FILES_BYTES = 256 * 1024 * 1024;

/**
 * Reads a model's text files (tokenizer, chat template, generation defaults) from a worker, by fingerprint.
 * @throws GrpcStatusError when the worker refuses or is lost; the signal's reason when it aborts
 */
export async function fetchModelFiles(
  client: WorkerClient,
  textFingerprint: string,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, Uint8Array>> {
  const pieces = new Map<string, Uint8Array[]>();
  const complete = new Set<string>();
  let totalBytes = 0;
  for await (const chunk of readStream(() => client.getModelFiles({ textFingerprint }), signal)) {
    totalBytes += chunk.data.length;
    if (totalBytes > MAX_FILES_BYTES)
      throw new Error(`The model's text files have more than ${MAX_FILES_BYTES} bytes.`);
    const file = pieces.get(chunk.name);
    if (file === undefined) pieces.set(chunk.name, [chunk.data]);
    else file.push(chunk.data);
    if (chunk.last) complete.add(chunk.name);
  }
  const cut = [...pieces.keys()].find((name) => !complete.has(name));
  if (cut !== undefined) throw new Error(`The worker sent only a part of ${cut}.`);
  return new Map([...pieces].map(([name, parts]) => [name, Buffer.concat(parts)]));
}
