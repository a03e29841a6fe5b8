import { TARGETS } from './cases.mjs';

/**
 * @typedef {{head: readonly string[], rows: readonly (readonly string[])[]}} Table
 */

const whole = (value) => value.toLocaleString('en-US', { maximumFractionDigits: 0 });
const rate = (value) => (value < 100 ? value.toFixed(1) : whole(value));
const times = (value) => `${value.toFixed(2)}×`;
const megabytes = (bytes) => `${whole(bytes / 1e6)} MB`;
const percent = (value) => `${(100 * value).toFixed(1)} %`;
const spreadOf = ({ median, min, max }) => `${rate(median)} (${rate(min)}–${rate(max)})`;

/** What is to be reached and whether it is, for people; empty where nothing is asked for. */
function target(name, value, format) {
  const { atLeast, atMost } = TARGETS[name] ?? {};
  if (atLeast !== undefined) return `≥ ${format(atLeast)} ${value >= atLeast ? 'reached' : 'missed'}`;
  if (atMost !== undefined) return `≤ ${format(atMost)} ${value <= atMost ? 'reached' : 'missed'}`;
  return '';
}

/** @returns {Table} tokens per second of both engines, median and spread over the rounds */
export function ratesTable({ decode, prefill }) {
  const rowsOf = (kind, cases) =>
    Object.entries(cases ?? {}).map(([size, { hydra, peer, ratio }]) => {
      const name = `${kind}.${size}`;
      return [name, spreadOf(hydra), spreadOf(peer), times(ratio), target(name, ratio, times)];
    });
  return {
    head: ['case', 'hydra', 'node-llama-cpp', 'ratio', 'target'],
    rows: [...rowsOf('decode', decode), ...rowsOf('prefill', prefill)],
  };
}

/** @returns {Table} tokens per second against other peers, each with a form of ours */
export function pairsTable({ pairs }) {
  const rows = Object.entries(pairs ?? {}).flatMap(([pair, { ours, peer, cases }]) =>
    Object.entries(cases).map(([each, { hydra, peer: theirs, ratio }]) => {
      const name = `${pair}.${each}`;
      return [name, ours, peer, spreadOf(hydra), spreadOf(theirs), times(ratio), target(name, ratio, times)];
    }),
  );
  return { head: ['case', 'ours', 'peer', 'hydra', 'peer', 'ratio', 'target'], rows };
}

/** @returns {Table} gateway, JavaScript and memory's speed, as shares; and memory beyond what is counted */
export function sharesTable({ gateway, javascriptShare, bandwidth, memory }) {
  const rows = [];
  if (bandwidth !== undefined) {
    const { tokensPerSecond, bytesPerStep, bytesPerSecond, share } = bandwidth;
    const bound = bytesPerSecond / bytesPerStep;
    const figures = `${rate(tokensPerSecond)} of ${rate(bound)} tokens/s: ${megabytes(bytesPerStep)} a token at ${(bytesPerSecond / 1e9).toFixed(1)} GB/s`;
    rows.push(['bandwidth', figures, percent(share), target('bandwidth', share, percent)]);
  }
  if (memory !== undefined) {
    const { residentBytes, weightsBytes, kvBytes, beyondBytes } = memory;
    const figures = `${megabytes(residentBytes)} resident, weights ${megabytes(weightsBytes)}, KV ${megabytes(kvBytes)}`;
    rows.push(['memory', figures, megabytes(beyondBytes), target('memory', beyondBytes, megabytes)]);
  }
  for (const [size, { tokensPerSecond, engineAlone, share }] of Object.entries(gateway ?? {})) {
    const name = `gateway.${size}`;
    const figures = `${rate(tokensPerSecond.median)} of ${rate(engineAlone.median)} tokens/s`;
    rows.push([name, figures, percent(share), target(name, share, percent)]);
  }
  for (const [size, shares] of Object.entries(javascriptShare ?? {})) {
    for (const [sampling, { median, min, max, profiled }] of Object.entries(shares)) {
      const name = `javascriptShare.${size}`;
      const figures = `${percent(min)} to ${percent(max)}, by CPU profile ${percent(profiled)}`;
      rows.push([`${name}, ${sampling}`, figures, percent(median), target(name, median, percent)]);
    }
  }
  return { head: ['case', 'figures', 'result', 'target'], rows };
}

/** @returns {Table} running streams alone and beside long prompts */
export function mixedTable({ mixed }) {
  const head = ['engine', 'ITL p99 ms', 'ratio', 'target', 'output tokens/s', 'prompt tokens/s', 'total', 'target'];
  if (mixed === undefined) return { head, rows: [] };
  const row = (name, { alone, mixed: beside, itlP99Ratio }, targets) => [
    name,
    `${rate(alone.itlP99Ms)} → ${rate(beside.itlP99Ms)}`,
    times(itlP99Ratio),
    targets.itl,
    `${rate(alone.outputTokensPerSecond)} → ${rate(beside.outputTokensPerSecond)}`,
    rate(beside.promptTokensPerSecond),
    rate(beside.tokensPerSecond),
    targets.total,
  ];
  const { hydra, nodeLlamaCpp, totalRatio } = mixed;
  const total = `${times(totalRatio)}, ${target('mixed.total', totalRatio, times)}`;
  const rows = [
    row('hydra', hydra, { itl: target('mixed', hydra.itlP99Ratio, times), total }),
    row('node-llama-cpp', nodeLlamaCpp, { itl: '', total: '' }),
  ];
  return { head, rows };
}

/** The whole report for a terminal. */
export function reportAsText(report) {
  const { date, machine, versions, loadAverage } = report;
  const tables = [ratesTable, pairsTable, sharesTable, mixedTable]
    .map((table) => table(report))
    .filter(({ rows }) => rows.length > 0);
  const head = `${date}  ${machine.cpu}  Node ${versions.node}  load ${loadAverage[0].toFixed(2)}`;
  return [head, ...tables.map(asText), ...(report.notMeasured ?? [])].join('\n\n');
}

/** @param {Table} table */
export function asText({ head, rows }) {
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((row) => row[column].length)));
  return [head, ...rows]
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i]))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** @param {Table} table */
export function asMarkdown({ head, rows }) {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map((_, i) => (i === 0 ? '---' : '---:'))), ...rows.map(line)].join('\n');
}
