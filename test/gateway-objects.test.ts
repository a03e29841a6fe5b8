import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const run = promisify(execFile);
const MODULE = new URL('../dist/apps/gateway/src/young-objects.js', import.meta.url).href;
const MAIN = fileURLToPath(new URL('../apps/gateway/src/main.ts', import.meta.url));

/**
 * Makes objects that stay, then others in the same place that do not; prints bytes of the old generation for each of the latter, the median of
 * several runs: in one of them a full collection may end.
 */
const script = (imports: string) => `
  import { getHeapSpaceStatistics } from 'node:v8';
  ${imports}
  const record = (n) => ({ name: n, given: [n, n], more: { a: n } });
  const old = () => getHeapSpaceStatistics().find(({ space_name }) => space_name === 'old_space').space_used_size;
  const kept = [];
  for (let i = 0; i < 300_000; i++) kept.push(record(i));
  let last;
  const each = Array.from({ length: 15 }, () => {
    const before = old();
    for (let i = 0; i < 20_000; i++) last = record(i);
    return (old() - before) / 20_000;
  });
  console.log(each.sort((a, b) => a - b)[7], last.name, kept.length);
`;

async function oldBytesEach(imports: string): Promise<number> {
  const flags = ['--max-semi-space-size=1', '--input-type=module', '--eval', script(imports)];
  const { stdout } = await run(process.execPath, flags);
  return Number.parseFloat(stdout);
}

describe('objects of the gateway', () => {
  it('given a place whose objects stayed, when further ones are made there that do not, then the old generation has none of them', async () => {
    expect(await oldBytesEach('')).toBeGreaterThan(100); // what V8 does by itself
    expect(await oldBytesEach(`await import('${MODULE}');`)).toBeLessThan(30);
  });

  it('begin with that: no other module is loaded before', () => {
    const [first] = /^import .*$/m.exec(readFileSync(MAIN, 'utf8')) ?? [];
    expect(first).toContain("'./young-objects.js'");
  });
});
