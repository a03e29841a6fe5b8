import { TARGETS } from './cases.mjs';

/**
 * @typedef {{head: readonly string[], rows: readonly (readonly string[])[]}} Table
 */

const whole = (value) => value.toLocaleString('en-US', { maximumFractionDigits: 0 });
const rate = (value) => (value < 100 ? value.toFixed(1) : whole(value));
const times = (value) => `${value.toFixed(2)}×`;
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
    Object.entries(cases ?? {}).map(([size, { hydra, nodeLlamaCpp, ratio }]) => {
      const name = `${kind}.${size}`;
      return [name, spreadOf(hydra), spreadOf(nodeLlamaCpp), times(ratio), target(name, ratio, times)];
    });
  return {
    head: ['case', 'hydra', 'node-llama-cpp', 'ratio', 'target'],
    rows: [...rowsOf('decode', decode), ...rowsOf('prefill', prefill)],
  };
}

/** @returns {Table} gateway and JavaScript, as shares */
export function sharesTable({ gateway, javascriptShare }) {
  const rows = [];
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
  return { head: ['case', 'figures', 'share', 'target'], rows };
}

/** @returns {Table} running streams alone and beside long prompts */
export function mixedTable({ mixed }) {
  const rows = Object.entries(mixed ?? {}).map(([engine, { alone, mixed: beside, itlP99Ratio }]) => [
    engine === 'nodeLlamaCpp' ? 'node-llama-cpp' : engine,
    `${rate(alone.itlP99Ms)} → ${rate(beside.itlP99Ms)}`,
    times(itlP99Ratio),
    engine === 'hydra' ? target('mixed', itlP99Ratio, times) : '',
    `${rate(alone.outputTokensPerSecond)} → ${rate(beside.outputTokensPerSecond)}`,
    rate(beside.promptTokensPerSecond),
    rate(beside.tokensPerSecond),
  ]);
  return { head: ['engine', 'ITL p99 ms', 'ratio', 'target', 'output tokens/s', 'prompt tokens/s', 'total'], rows };
}

/** The whole report for a terminal. */
export function reportAsText(report) {
  const { date, machine, versions, loadAverage } = report;
  const tables = [ratesTable(report), sharesTable(report), mixedTable(report)].filter(({ rows }) => rows.length > 0);
  const head = `${date}  ${machine.cpu}  Node ${versions.node}  load ${loadAverage[0].toFixed(2)}`;
  return [head, ...tables.map(asText)].join('\n\n');
}

/** @param {Table} table */
function asText({ head, rows }) {
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
