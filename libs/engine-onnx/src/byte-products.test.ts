import { arch } from 'node:process';
import { expect, it } from 'vitest';
import { hasByteProducts } from './byte-products.js';

it.runIf(arch === 'x64').each([
  ['flags\t: fpu avx2 avx512_vnni rdpid', true],
  ['flags\t: fpu avx2 avx_vnni', true],
  ['flags\t: fpu avx avx2 fma', false],
  [undefined, true],
])('given an x64 processor with %j, when asked for products of bytes, then the answer is %j', async (flags, has) => {
  expect(await hasByteProducts(async () => flags)).toBe(has);
});
