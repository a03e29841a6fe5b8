import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { hydra } from './support/hydra.js';

const TRACE = fileURLToPath(new URL('../libs/simulator/test-data/conversation.jsonl.gz', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'hydra-simulate-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const command = (...more: string[]) =>
  hydra(['simulate', '--trace', TRACE, '--format', 'mooncake', '--workers', '4', ...more]);

describe('hydra simulate', () => {
  it('prints one JSON object with every figure, and writes each decision', async () => {
    const csv = join(folder, 'decisions.csv');
    const { code, stdout, stderr } = await command('--strategy', 'least-loaded', '--json', '--decisions', csv);
    expect([code, stderr]).toEqual([0, '']);
    const result = JSON.parse(stdout);
    expect(result).toMatchObject({ strategy: 'least-loaded', workers: 4, requests: 400, measured: 360, unfinished: 0 });
    expect(Object.keys(result)).toHaveLength(25);
    expect(Object.values(result).every((value) => typeof value === 'string' || Number.isFinite(value))).toBe(true);
    const [head, first, ...rest] = readFileSync(csv, 'utf8').trimEnd().split('\n');
    expect([head, rest.length]).toEqual(['i,t,worker,dispatch_t', 399]);
    expect(first).toMatch(/^0,0,[0-3],0$/);
  });

  it.each([
    [
      ['--trace', 'bad.csv', '--format', 'csv', '--workers', '1'],
      /bad\.csv: line 3 of the trace: expected three decimal/,
    ],
    [['--trace', 'bad.gz', '--format', 'csv', '--workers', '1'], /bad\.gz: incorrect header check/],
    [
      ['--trace', TRACE, '--format', 'mooncake', '--workers', '100000'],
      /--workers times --kv-blocks: expected at most/,
    ],
  ])('says what is wrong with %j', async (args, message) => {
    writeFileSync(join(folder, 'bad.csv'), 'timestamp_ms,input_length,output_length\n0,1,1\n0,,1\n');
    writeFileSync(join(folder, 'bad.gz'), 'no archive');
    const given = args.map((arg) => (arg.startsWith('bad') ? join(folder, arg) : arg));
    const { code, stderr } = await hydra(['simulate', '--strategy', 'round-robin', ...given]);
    expect([code, stderr]).toEqual([1, expect.stringMatching(message)]);
  });

  it('draws from seed 0 as from any other', async () => {
    expect((await command('--strategy', 'power-of-two', '--seed', '0', '--json')).code).toBe(0);
  });

  it('compares strategies in a table and draws a curve for each', async () => {
    const svg = join(folder, 'ttft.svg');
    const { code, stdout } = await command('--strategy', 'round-robin,power-of-two', '--cdf', svg, '--order', 'srpt');
    expect(code).toBe(0);
    expect(
      stdout
        .trimEnd()
        .split('\n')
        .map((line) => line.split(' ')[0]),
    ).toEqual(['strategy', 'round-robin', 'power-of-two']);
    const drawing = readFileSync(svg, 'utf8');
    expect(drawing.match(/<path d="M/g)).toHaveLength(2);
    expect(drawing).toContain('power-of-two');
  });

  it.each([
    [['--strategy', 'fastest'], 'known are round-robin'],
    [['--strategy', 'all', '--decisions', '/dev/null'], 'one strategy'],
    [['--strategy', 'all', '--speedup', '0'], 'a number above 0'],
    [
      ['--strategy', 'all', '--speedup', '1e-300'],
      '--speedup: expected one that makes the trace at most 10000000000 s',
    ],
    [['--strategy', 'all', '--copies', '1000000000'], 'requests: expected at most 10000000'],
    [['--strategy', 'all', '--format', 'csv'], 'line 1 of the trace: expected the header'],
    [['--strategy', 'all', '--trace', '/nowhere'], 'no such file'],
    [['--strategy', 'all', '--model', TRACE], 'JSON'],
  ])('given %j, then it says what is wrong', async (args, message) => {
    const { code, stderr } = await command(...args);
    expect(code).toBe(1);
    expect(stderr).toContain(message);
  });
});
