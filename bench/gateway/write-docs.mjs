import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { barChart } from '../engine/bar-chart.mjs';
import { asMarkdown } from '../engine/tables.mjs';
import { writeBench } from '../engine/write-docs.mjs';
import { gatewayTable, notMeasured } from './tables.mjs';
import { ROWS } from './targets.mjs';

/**
 * The report as benchmarks/gateway.json and gateway.svg in a folder, and as a table between the markers of its benchmarks.md. One
 * of some cases is joined to what is there.
 */
export function writeDocs(taken, folder, { isWhole }) {
  const file = join(folder, 'benchmarks', 'gateway.json');
  const report = isWhole || !existsSync(file) ? taken : joined(JSON.parse(readFileSync(file, 'utf8')), taken);
  writeBench('gateway', folder, { report, part: generatedPart(report), chart: chartOf(report) });
}

/** Of two figures of a row the later one counts; a run of which no row is left is not told any more. */
export function joined(earlier, taken) {
  const takenRows = new Set(taken.runs.flatMap(({ rows }) => rows));
  const left = earlier.runs.map((run) => ({ ...run, rows: run.rows.filter((row) => !takenRows.has(row)) }));
  return {
    ...taken,
    runs: [...left.filter(({ rows }) => rows.length > 0), ...taken.runs],
    hydra: { ...earlier.hydra, ...taken.hydra },
    peers: { ...earlier.peers, ...taken.peers },
  };
}

export function generatedPart(report) {
  return [
    `${provenance(report)}.`,
    '![CPU time of the gateway](benchmarks/gateway.svg)',
    asMarkdown(gatewayTable(report)),
    ...notMeasured(report),
  ].join('\n\n');
}

/** In microseconds for one, which is the same figure as seconds for a million. */
export function chartOf(report) {
  const group = (name, label, factor) => {
    const bars = [report.hydra[name]?.value, ROWS[name].atMost, ROWS[name].stretch].map((value = 0) => value * factor);
    return { label, bars: bars.map((value) => ({ median: value, min: value, max: value })) };
  };
  return barChart({
    title: 'CPU time of the gateway, one core',
    series: ['HydraServe', 'target', 'stretch'],
    panels: [
      { title: 'Microseconds per request, not streamed', groups: [group('plain.64', '64 at once', 1_000)] },
      {
        title: 'Microseconds per event',
        groups: [
          group('paced.64', '64 streams, 10 ms', 1),
          group('paced.256', '256 streams, 10 ms', 1),
          group('flood.64', '64 streams, as fast as they go', 1),
        ],
      },
    ],
    footer: provenance(report).split('; '),
  });
}

function provenance({ machine, versions, runs }) {
  const each = runs.map(({ date, loadAverage, command }) => {
    const cases = /--only (\S+)/.exec(command)?.[1].replaceAll(',', ', ') ?? 'all cases';
    return `${date.slice(0, 16).replace('T', ' ')} ${cases} (load average ${loadAverage[0].toFixed(2)} before)`;
  });
  return `${machine.cpu}, ${machine.cores} cores, ${machine.pinning}; Node ${versions.node}; ${each.join('; ')}`;
}
