import { GrpcStatusError } from '#lib/channels';
import type { KvBlock, KvBlocksClient, PutKvBlocksResponse } from '#lib/contracts';

/**
 * Gives blocks to whoever takes them, in order; the next one is asked for when the one before has left.
 * @throws GrpcStatusError, the signal's reason, or what the source of the blocks throws
 */
export async function putKvBlocks(
  client: Pick<KvBlocksClient, 'put'>,
  blocks: AsyncIterable<KvBlock>,
  signal: AbortSignal,
): Promise<PutKvBlocksResponse> {
  signal.throwIfAborted();
  const { promise: answer, resolve, reject } = Promise.withResolvers<PutKvBlocksResponse>();
  answer.catch(() => {}); // awaited at the end, or with a write
  const call = client.put((error, response) =>
    error === null ? resolve(response) : reject(GrpcStatusError.from(error)),
  );
  const cancel = () => call.cancel();
  signal.addEventListener('abort', cancel, { once: true });
  try {
    for await (const block of blocks) {
      const written = new Promise<void>((done) => call.write(block, () => done())); // why it failed, the answer says
      await Promise.race([written, answer]);
    }
    call.end();
    return await answer;
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener('abort', cancel);
    call.cancel(); // one that was given up; one that has ended does not mind
  }
}
