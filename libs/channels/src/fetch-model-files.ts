import type { ModelFileChunk, WorkerClient } from '#lib/contracts';
import { GrpcStatusError } from './grpc-status-error.js';

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
  signal.throwIfAborted();
  const call = client.getModelFiles({ textFingerprint });
  const cancel = () => call.cancel();
  signal.addEventListener('abort', cancel, { once: true });
  const pieces = new Map<string, Uint8Array[]>();
  const complete = new Set<string>();
  let totalBytes = 0;
  try {
    for await (const chunk of call as AsyncIterable<ModelFileChunk>) {
      totalBytes += chunk.data.length;
      if (totalBytes > MAX_FILES_BYTES)
        throw new Error(`The model's text files have more than ${MAX_FILES_BYTES} bytes.`);
      const file = pieces.get(chunk.name);
      if (file === undefined) pieces.set(chunk.name, [chunk.data]);
      else file.push(chunk.data);
      if (chunk.last) complete.add(chunk.name);
    }
  } catch (error) {
    signal.throwIfAborted();
    throw GrpcStatusError.from(error);
  } finally {
    signal.removeEventListener('abort', cancel);
    call.cancel(); // one that was given up half read; one that has ended does not mind
  }
  const cut = [...pieces.keys()].find((name) => !complete.has(name));
  if (cut !== undefined) throw new Error(`The worker sent only a part of ${cut}.`);
  return new Map([...pieces].map(([name, parts]) => [name, Buffer.concat(parts)]));
}
