import {
  type Server,
  type ServerErrorResponse,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
  status,
} from '@grpc/grpc-js';
import { GrpcStatusError } from '#lib/channels';
import {
  type GetKvBlocksRequest,
  type HasKvBlocksRequest,
  type HasKvBlocksResponse,
  type KvBlock,
  type KvBlocksServer,
  KvBlocksService,
  type KvLayout,
  type PutKvBlocksResponse,
} from '#lib/contracts';
import { BLOCK_HASH_BYTES } from '#lib/kv';
import { type FetchOrigin, fetchOriginOf } from './fetch-origin.js';
import type { KvBlockSink, KvBlockSource } from './kv-block-source.js';

/** Most blocks of one call: a context of 128 Ki tokens in blocks of 16. */
export const MAX_BLOCKS_PER_CALL = 8_192;
/** Chosen: each holds a block or two in memory; who has to wait for longer computes sooner. */
const DEFAULT_TRANSFERS = 8;
/** Chosen: whoever reads one block in a minute does not use it any more. */
const MAX_TRANSFER_MS = 60_000;

export interface ServedKvBlocks {
  readonly source: KvBlockSource;
  /** Without it `Put` is not implemented. */
  readonly sink?: KvBlockSink;
  /** `Get` and `Put` at once; further ones are refused with RESOURCE_EXHAUSTED. Default 8. */
  readonly mostTransfers?: number;
  /** Blocks are asked for on behalf of a request. @returns what is called when that is over, with how many were asked for and have left */
  readonly onGet?: (origin: FetchOrigin) => (asked: number, served: number) => void;
  /** A block has left. */
  readonly onServed?: (bytes: number) => void;
  /** A call was not answered. */
  readonly onRefused?: (code: status) => void;
}

/** Adds `KvBlocks` to a gRPC server: each block is sent when the one before has left, so a slow reader has one in memory. */
export function serveKvBlocks(server: Server, served: ServedKvBlocks): void {
  server.addService(KvBlocksService, kvBlocksServer(served));
}

function kvBlocksServer({ source, sink, ...options }: ServedKvBlocks): KvBlocksServer {
  const { mostTransfers = DEFAULT_TRANSFERS, onServed = () => {}, onRefused = () => {} } = options;
  let transfers = 0;

  const refusal = (error: unknown): Partial<ServerErrorResponse> => {
    const { code, message } = error instanceof Refusal ? error : GrpcStatusError.from(error);
    onRefused(code);
    return { code, details: message };
  };
  const transfer = async <T>(call: Call, run: (signal: AbortSignal) => Promise<T>) => {
    if (transfers >= mostTransfers) throw new Refusal(status.RESOURCE_EXHAUSTED, `${transfers} transfers run already`);
    transfers++;
    try {
      return await withSignal(call, run);
    } finally {
      transfers--;
    }
  };

  const has = async (
    call: ServerUnaryCall<HasKvBlocksRequest, HasKvBlocksResponse>,
    answer: sendUnaryData<HasKvBlocksResponse>,
  ) => {
    try {
      const { layout, blockHashes } = asked(call.request);
      const leadingBlocks = await withSignal(call, (signal) => source.has(layout, blockHashes, signal));
      answer(null, { leadingBlocks });
    } catch (error) {
      answer(refusal(error));
    }
  };

  const get = async (call: ServerWritableStream<GetKvBlocksRequest, KvBlock>) => {
    const origin = fetchOriginOf(call.metadata);
    const onEnd = origin === undefined ? undefined : options.onGet?.(origin);
    let served = 0;
    try {
      const { layout, blockHashes } = asked(call.request);
      await transfer(call, async (signal) => {
        for await (const block of source.read(layout, blockHashes, signal)) {
          await written(call, block, signal);
          served++;
          onServed(block.data.length);
        }
      });
      call.end();
    } catch (error) {
      if (call.cancelled) onRefused(status.CANCELLED);
      else call.emit('error', refusal(error));
    } finally {
      onEnd?.(call.request.blockHashes.length, served);
    }
  };

  const put = async (
    call: ServerReadableStream<KvBlock, PutKvBlocksResponse>,
    answer: sendUnaryData<PutKvBlocksResponse>,
  ) => {
    try {
      if (sink === undefined) throw new Refusal(status.UNIMPLEMENTED, 'nothing is taken here');
      answer(null, await transfer(call, (signal) => sink.put(call as AsyncIterable<KvBlock>, signal)));
    } catch (error) {
      answer(refusal(error));
    }
  };

  return { has: (...call) => void has(...call), get: (call) => void get(call), put: (...call) => void put(...call) };
}

class Refusal extends Error {
  constructor(
    readonly code: status,
    message: string,
  ) {
    super(message);
  }
}

function asked({ layout, blockHashes }: GetKvBlocksRequest): { layout: KvLayout; blockHashes: readonly Uint8Array[] } {
  if (layout === undefined) throw new Refusal(status.INVALID_ARGUMENT, '`layout` is missing');
  if (blockHashes.length > MAX_BLOCKS_PER_CALL)
    throw new Refusal(status.INVALID_ARGUMENT, `at most ${MAX_BLOCKS_PER_CALL} blocks can be asked for at once`);
  if (blockHashes.some(({ length }) => length !== BLOCK_HASH_BYTES))
    throw new Refusal(status.INVALID_ARGUMENT, `a block hash has ${BLOCK_HASH_BYTES} bytes`);
  return { layout, blockHashes };
}

type Call = { once(event: 'cancelled', listener: () => void): unknown; readonly cancelled: boolean };

/** Runs for as long as the other end is there and has time, whatever deadline it asked for. */
async function withSignal<T>(call: Call, run: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const abort = new AbortController();
  const leave = () => abort.abort(new Refusal(status.CANCELLED, 'the caller is gone'));
  if (call.cancelled) leave();
  call.once('cancelled', leave);
  const timer = setTimeout(
    () => abort.abort(new Refusal(status.DEADLINE_EXCEEDED, 'it took too long')),
    MAX_TRANSFER_MS,
  );
  try {
    return await run(abort.signal);
  } finally {
    clearTimeout(timer);
  }
}

/** Resolves when the transport has taken the message. */
function written(
  call: ServerWritableStream<GetKvBlocksRequest, KvBlock>,
  block: KvBlock,
  signal: AbortSignal,
): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const leave = () => reject(signal.reason);
    signal.addEventListener('abort', leave, { once: true });
    call.write(block, (error?: Error | null) => {
      signal.removeEventListener('abort', leave);
      if (error) reject(error);
      else resolve();
    });
  });
}
