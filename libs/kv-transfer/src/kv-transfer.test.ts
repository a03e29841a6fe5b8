import { status } from '@grpc/grpc-js';
import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { callUnary } from '#lib/channels';
import type { KvBlock } from '#lib/contracts';
import {
  blocksOf,
  HeldBlocks,
  type ServingKvBlocks,
  servingKvBlocks,
  TEST_BLOCK_BYTES,
  TEST_LAYOUT,
} from '../testing/kv-blocks.js';
import { fetchKvBlocks, KvBlockFaultError } from './fetch-kv-blocks.js';
import { faultOfOffered } from './kv-block-fault.js';

const prompt = [1, 2, 3, 4, 5, 6, 7, 8, 9];
const never = new AbortController().signal;
const open: ServingKvBlocks[] = [];

afterEach(() => {
  for (const serving of open.splice(0)) serving.close();
});

async function serving(...served: Parameters<typeof servingKvBlocks>): Promise<ServingKvBlocks> {
  const one = await servingKvBlocks(...served);
  open.push(one);
  return one;
}

const wanted = (tokenIds: readonly number[], firstBlock = 0) => ({
  layout: TEST_LAYOUT,
  blockBytes: TEST_BLOCK_BYTES,
  blockHashes: blocksOf(tokenIds).map(({ blockHash }) => blockHash),
  tokenIds,
  firstBlock,
});

async function fetched(client: ServingKvBlocks['client'], chain: ReturnType<typeof wanted>, signal = never) {
  const blocks: KvBlock[] = [];
  try {
    for await (const block of fetchKvBlocks(client, chain, signal)) blocks.push(block);
  } catch (error) {
    return { blocks, error };
  }
  return { blocks };
}

describe('KvBlocks', () => {
  it('given a source with a part of a chain, when the rest of it is fetched, then what is there comes, in order', async () => {
    const all = blocksOf(prompt);
    const { client } = await serving({ source: new HeldBlocks(all.slice(0, 3)) });
    const { blocks, error } = await fetched(client, wanted(prompt, 1));
    expect(error).toBeUndefined();
    expect(blocks.map(({ data }) => data)).toEqual(all.slice(1, 3).map(({ data }) => data));
    const request = { layout: TEST_LAYOUT, blockHashes: all.map(({ blockHash }) => blockHash) };
    await expect(callUnary(client.has.bind(client), request, { timeoutMs: 5_000 })).resolves.toEqual({
      leadingBlocks: 3,
    });
  });

  it('given another layout or another salt, when blocks are asked for, then there are none', async () => {
    const { client } = await serving({ source: new HeldBlocks(blocksOf(prompt, 'tenant')) });
    expect((await fetched(client, wanted(prompt))).blocks).toEqual([]);
    const { client: second } = await serving({ source: new HeldBlocks(blocksOf(prompt)) });
    const other = { ...wanted(prompt), layout: { ...TEST_LAYOUT, dtype: 'fp16' } };
    expect((await fetched(second, other)).blocks).toEqual([]);
  });

  it('given blocks damaged in any way, when fetched, then exactly those before the first damaged one are given', async () => {
    const source = new HeldBlocks();
    const { client } = await serving({ source });
    const damage = fc.constantFrom('layout', 'hash', 'tokens', 'checksum', 'length', 'none');
    await fc.assert(
      fc.asyncProperty(
        fc.array(damage, { minLength: 4, maxLength: 4 }),
        fc.nat(TEST_BLOCK_BYTES - 1),
        async (damages, at) => {
          for (const [index, block] of blocksOf(prompt).entries())
            source.blocks.set(block.blockHash.toString('hex'), damaged(block, damages[index]!, at));
          // A source gives another layout only if it does not look at what it is asked for.
          vi.spyOn(source, 'read').mockImplementation(async function* () {
            yield* [...source.blocks.values()].slice(0, 4);
          });
          const { blocks, error } = await fetched(client, wanted(prompt));
          const first = damages.findIndex((kind) => kind !== 'none');
          expect(blocks).toHaveLength(first < 0 ? 4 : first);
          if (first < 0) expect(error).toBeUndefined();
          else expect(error).toBeInstanceOf(KvBlockFaultError);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('given a reader that stops reading, when blocks are sent, then few are read ahead, and its leaving ends the source', async () => {
    const long = Array.from({ length: 4_000 }, (_, index) => index);
    const big = blocksOf(long).map((block) => ({ ...block, data: Buffer.alloc(256 * 1024) }));
    const source = new HeldBlocks(big);
    const { client } = await serving({ source });
    const call = client.get({ layout: TEST_LAYOUT, blockHashes: big.map(({ blockHash }) => blockHash) });
    call.on('error', () => {});
    await (call as AsyncIterable<KvBlock>)[Symbol.asyncIterator]().next(); // grpc-js 1.14 has no back-pressure before the first read
    let last = -1;
    while (source.readCount !== last) {
      last = source.readCount;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    expect(source.readCount).toBeLessThan(32); // of 2,000; 16 of them wait in the reader
    call.cancel();
    await vi.waitFor(() => expect(source.endedCount).toBe(1));
  });

  it('given as many transfers as are allowed, when one more is asked for, then it is refused, and counted', async () => {
    const refused: status[] = [];
    const { client } = await serving({
      source: new HeldBlocks(),
      mostTransfers: 0,
      onRefused: (code) => refused.push(code),
    });
    expect((await fetched(client, wanted(prompt))).error).toMatchObject({ code: status.RESOURCE_EXHAUSTED });
    expect(refused).toEqual([status.RESOURCE_EXHAUSTED]);
  });

  it('given a request that makes no sense, when sent, then it is told so', async () => {
    const { client } = await serving({ source: new HeldBlocks() });
    const has = (blockHashes: Buffer[], layout = true) =>
      callUnary(
        client.has.bind(client),
        { layout: layout ? TEST_LAYOUT : undefined, blockHashes },
        { timeoutMs: 5_000 },
      );
    await expect(has([Buffer.alloc(3)])).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
    await expect(has([], false)).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
    await expect(has(Array.from({ length: 8_193 }, () => Buffer.alloc(16)))).rejects.toMatchObject({
      code: status.INVALID_ARGUMENT,
    });
  });

  it('given that the time is over, when a fetch runs, then it ends with the reason', async () => {
    const { client } = await serving({ source: new HeldBlocks(blocksOf(prompt)) });
    const abort = new AbortController();
    abort.abort(new Error('late'));
    expect((await fetched(client, wanted(prompt), abort.signal)).error).toMatchObject({ message: 'late' });
  });
});

describe('faultOfOffered', () => {
  it('given a block that agrees with itself, then nothing is wrong; given any damage, then it is named', () => {
    const [, block] = blocksOf(prompt);
    expect(faultOfOffered(block!)).toBeUndefined();
    expect(faultOfOffered(damaged(block!, 'hash', 0))).toBe('tokens');
    expect(faultOfOffered(damaged(block!, 'tokens', 0))).toBe('tokens');
    expect(faultOfOffered(damaged(block!, 'checksum', 3))).toBe('checksum');
    expect(faultOfOffered({ ...block!, layout: undefined })).toBe('layout');
    expect(faultOfOffered({ ...block!, blockHash: Buffer.alloc(4) })).toBe('hash');
  });
});

function damaged(block: KvBlock, kind: string, at: number): KvBlock {
  const flipped = (bytes: Buffer, index: number) => {
    const copy = Buffer.from(bytes);
    copy[index]! ^= 1;
    return copy;
  };
  switch (kind) {
    case 'layout':
      return { ...block, layout: { ...TEST_LAYOUT, axes: 'other' } };
    case 'hash':
      return { ...block, blockHash: flipped(block.blockHash, at % 16) };
    case 'tokens':
      return { ...block, tokenIds: block.tokenIds.map((id) => id + 1) };
    case 'checksum':
      return { ...block, data: flipped(block.data, at) };
    case 'length':
      return { ...block, data: block.data.subarray(1) };
    default:
      return block;
  }
}
