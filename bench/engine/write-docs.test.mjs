import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MIXED_CASE, RATE_CASES } from './cases.mjs';
import { bandwidthFigures, comparisonFigures, gatewayFigures, machineAndVersions, rateFigures } from './report.mjs';
import { reportAsText } from './tables.mjs';
import { replaceBetween, writeDocs } from './write-docs.mjs';

const PAGE = fileURLToPath(new URL('../../docs/benchmarks.md', import.meta.url));

/** Three rounds in which the peer has 50, 60 and 70 tokens per second and ours twice, three and four times as many. */
function report() {
  const rates = (factors) => factors.map((tokensPerSecond) => ({ tokensPerSecond, disturbedShare: 0.01 }));
  const phase = (p99Ms) => ({ p50Ms: 20, p99Ms, outputTokensPerSecond: 90, promptTokensPerSecond: 110 });
  const mixed = { alone: phase(30), mixed: phase(75), disturbedShare: 0 };
  const answers = new Map(
    RATE_CASES.map(({ name }) => [name, { hydra: rates([100, 180, 280]), peer: rates([50, 60, 70]) }]),
  ).set(MIXED_CASE.name, { hydra: [mixed], peer: [mixed] });
  const functions = [{ name: 'choose sampler.js:42', share: 0.011 }];
  const shares = { median: 0.021, min: 0.02, max: 0.03, profiled: 0.025, functions };
  return {
    ...machineAndVersions(),
    command: 'a command with <brackets> & more',
    loadAverage: [0.25, 0.2, 0.1],
    rounds: 3,
    model: { id: 'a-model', weights: 'int4', gguf: 'a.gguf' },
    threads: 2,
    peer: { version: '3.0.0', flashAttention: { decode: true, prefill: false } },
    ...comparisonFigures(answers),
    gateway: { 16: gatewayFigures({ through: [90, 95, 99], alone: [100, 100, 100] }) },
    javascriptShare: { 16: { greedy: shares, sampled: shares } },
    pairs: {
      int8: {
        ours: 'int8',
        peer: 'a peer, Q8_0',
        cases: { 'decode.8': rateFigures({ hydra: rates([110, 120, 130]), peer: rates([50, 60, 50]) }) },
      },
    },
    notMeasured: ['Another peer is not measured: it is not there.'],
    bandwidth: bandwidthFigures(100, 150e6, [20e9, 25e9]),
    memory: { residentBytes: 500e6, weightsBytes: 110e6, kvBytes: 67e6, beyondBytes: 323e6 },
  };
}

describe('writeDocs', () => {
  let folder;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'bench-docs-'));
    copyFileSync(PAGE, join(folder, 'benchmarks.md'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));
  const written = (name) => readFileSync(join(folder, name), 'utf8');

  it('writes the report, a chart with every case, and tables with ratios and targets', () => {
    const whole = report();
    writeDocs(whole, folder);
    expect(JSON.parse(written('benchmarks/engine.json'))).toEqual(JSON.parse(JSON.stringify(whole)));
    const svg = written('benchmarks/engine.svg');
    expect(svg.match(/<rect class="series-[01]" x="[^"]+" y="[^"]+" width="[^"]+" height="[^"]+"\/>/g)).toHaveLength(
      2 + 2 * RATE_CASES.length,
    );
    expect(svg).toContain('a command with &lt;brackets&gt; &amp; more');
    expect(svg).not.toMatch(/NaN|undefined/);
    const page = written('benchmarks.md');
    expect(page).toContain('| decode.8 | 180 (100–280) | 60.0 (50.0–70.0) | 3.00× | ≥ 2.20× reached |');
    expect(page).toContain('| gateway.16 | 95.0 of 100 tokens/s | 95.0 % | ≥ 95.0 % reached |');
    expect(page).toContain(
      '| hydra | 30.0 → 75.0 | 2.50× | ≤ 3.00× reached | 90.0 → 90.0 | 110 | 200 | 1.00×, ≥ 1.60× missed |',
    );
    expect(page).toContain(
      '| int8.decode.8 | int8 | a peer, Q8_0 | 120 (110–130) | 50.0 (50.0–60.0) | 2.20× | ≥ 2.20× reached |',
    );
    expect(page).toContain(
      '| bandwidth | 100 of 167 tokens/s: 150 MB a token at 25.0 GB/s | 60.0 % | ≥ 50.0 % reached |',
    );
    expect(page).toContain('| memory | 500 MB resident, weights 110 MB, KV 67 MB | 323 MB | ≤ 300 MB missed |');
    expect(page).toContain('Another peer is not measured: it is not there.');
    expect(page).toContain('flash attention: decode on, prefill off');
    expect(page).not.toMatch(/NaN|undefined/);
  });

  it('given a second run, then its figures take the place of the first, and the rest of the page stays', () => {
    writeDocs(report(), folder);
    const first = written('benchmarks.md');
    writeDocs({ ...report(), rounds: 5 }, folder);
    expect(written('benchmarks.md')).toBe(first.replaceAll('3 rounds', '5 rounds'));
  });

  it('given a page without a place for it, then nothing is written', () => {
    writeFileSync(join(folder, 'benchmarks.md'), '# Benchmarks\n');
    expect(() => writeDocs(report(), folder)).toThrow('no place');
    expect(() => written('benchmarks/engine.json')).toThrow('ENOENT');
    expect(() => replaceBetween('', 'x', 'engine')).toThrow('no place');
  });
});

it('given a report of a few cases, then the text for a terminal has these only', () => {
  const { gateway, ...machine } = report();
  const text = reportAsText({
    ...machine,
    gateway,
    pairs: undefined,
    decode: undefined,
    prefill: undefined,
    mixed: undefined,
  });
  expect(text).toMatch(/^gateway\.16 +95\.0 of 100 tokens\/s +95\.0 % +≥ 95\.0 % reached$/m);
  expect(text).not.toContain('decode');
});
