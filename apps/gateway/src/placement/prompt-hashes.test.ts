import { expect, it } from 'vitest';
import { GenerationRequest, ServedModel } from '#lib/contracts';
import { hashBlocks, prefixSeed } from '#lib/kv';
import { promptHashes } from './prompt-hashes.js';

const SALT = 'tenant';
const requestOf = (promptTokens: number) =>
  GenerationRequest.fromPartial({
    promptTokenIds: Array.from({ length: promptTokens }, (_, index) => (index * 7) % 1_000),
    cacheSalt: Buffer.from(SALT),
  });
const served = (blockTokens: number) => ServedModel.fromPartial({ modelFingerprint: 'f', blockTokens });

it.each([0, 15, 16, 8_000, 8_192, 8_193, 20_000])(
  'given %i tokens, when hashed, then it is what one pass gives',
  async (tokens) => {
    const request = requestOf(tokens);
    const seed = prefixSeed({ modelFingerprint: 'f', adapterVersion: '', salt: SALT });
    const whole = Buffer.concat(hashBlocks(request.promptTokenIds, 16, seed));
    expect(await promptHashes(request, served(16))).toEqual(whole);
  },
);

it('given more blocks than a question may hold, when hashed, then the first are told; without blocks, none', async () => {
  const hashes = await promptHashes(requestOf(5_000), served(1));
  expect(hashes).toHaveLength(4_096 * 16);
  expect(hashes.subarray(0, 2 * 16)).toEqual(await promptHashes(requestOf(2), served(1)));
  expect(await promptHashes(requestOf(5_000), served(0))).toHaveLength(0);
});

it('given a long prompt, when it is hashed, then others have their turn before it is done', async () => {
  let turns = 0;
  let isOver = false;
  const count = () => {
    if (isOver) return;
    turns++;
    setImmediate(count);
  };
  setImmediate(count);
  await promptHashes(requestOf(32_000), served(16));
  isOver = true;
  expect(turns).toBeGreaterThan(1);
});
