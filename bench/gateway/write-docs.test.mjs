import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { replaceBetween } from '../engine/write-docs.mjs';
import { gatewayTable } from './tables.mjs';
import { ROWS } from './targets.mjs';
import { chartOf, generatedPart, joined } from './write-docs.mjs';

const report = {
  runs: [
    {
      ...{ date: '2026-11-28T12:00:00.000Z', command: 'bench --only plain,flood', loadAverage: [0.5] },
      rows: ['plain.64', 'flood.64'],
    },
  ],
  machine: { cpu: 'a CPU', cores: 2, pinning: 'one core each' },
  versions: { node: 'v24' },
  hydra: { 'plain.64': { value: 0.3 }, 'flood.64': { value: 12.34 }, 'client-gone': { value: 3, holds: false } },
  peers: { nginx: { figures: { 'plain.64': 0.04 } }, other: { notMeasured: 'other is not measured: no network.' } },
  failures: ['flood is not measured: it broke.'],
};

describe('the report of bench-gateway', () => {
  it('given figures, then each is held against its target, and one that does not hold is missed whatever its value', () => {
    expect(gatewayTable(report).rows).toEqual([
      [ROWS['plain.64'].row, '0.300', '≤ 0.28 missed', '≤ 0.13', '0.040'],
      [ROWS['flood.64'].row, '12.3', '≤ 15 reached', '≤ 10', ''],
      [ROWS['client-gone'].row, '3.0', '≤ 50 missed', '', ''],
    ]);
  });

  it('given the page of benchmarks, then it has a place for the table, and the rest of it stays', () => {
    const page = readFileSync(new URL('../../docs/benchmarks.md', import.meta.url), 'utf8');
    const written = replaceBetween(page, generatedPart(report), 'gateway');
    expect(written).toContain('| 0.300 | ≤ 0.28 missed |');
    expect(written).toContain('other is not measured: no network.\n\nflood is not measured: it broke.');
    expect(written.split('<!-- gateway:')[0]).toBe(page.split('<!-- gateway:')[0]);
  });

  it('given figures, then the chart has a bar for each, in microseconds', () => {
    expect(chartOf(report)).toContain('>300</text>');
    expect(chartOf(report)).toContain('class="series-2"');
  });

  it('given a run of some cases, when it is joined to an earlier one, then the others stay, and both runs are told', () => {
    const run = {
      date: '2026-11-29T12:00:00.000Z',
      command: 'bench --only plain',
      loadAverage: [1],
      rows: ['plain.64'],
    };
    const both = joined(report, { ...report, runs: [run], hydra: { 'plain.64': { value: 0.2 } }, peers: {} });
    expect(gatewayTable(both).rows.map((row) => row[1])).toEqual(['0.200', '12.3', '3.0']);
    expect(generatedPart(both)).toContain('2026-11-28 12:00 plain, flood (load average 0.50 before)');
    expect(generatedPart(both)).toContain('2026-11-29 12:00 plain (load average 1.00 before)');
  });

  it('given runs whose rows were all taken again, also one by one, then they are not told any more', () => {
    const runOf = (hour, rows) => ({ date: `2026-11-29T${hour}:00:00.000Z`, command: 'b', loadAverage: [1], rows });
    const again = (hour, row) => ({ ...report, runs: [runOf(hour, [row])], hydra: { [row]: { value: 1 } } });
    const both = joined(joined(report, again('12', 'plain.64')), again('13', 'flood.64'));
    expect(both.runs).toEqual([runOf('12', ['plain.64']), runOf('13', ['flood.64'])]);
  });
});
