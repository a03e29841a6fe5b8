import { asText } from '../engine/tables.mjs';
import { ROWS } from './targets.mjs';

const figure = (value, digits) => (value === undefined ? '' : value.toFixed(digits));

/** @returns {import('../engine/tables.mjs').Table} one row for each figure that was taken; peers that were measured are columns */
export function gatewayTable({ hydra, peers }) {
  const measured = Object.entries(peers).filter(([, { figures }]) => figures !== undefined);
  const rows = Object.entries(ROWS).flatMap(([name, { row, atMost, stretch, digits }]) => {
    const taken = hydra[name];
    if (taken === undefined) return [];
    const verdict = taken.value <= atMost && taken.holds !== false ? 'reached' : 'missed';
    const targets = [`≤ ${atMost} ${verdict}`, stretch === undefined ? '' : `≤ ${stretch}`];
    const theirs = measured.map(([, { figures }]) => figure(figures[name], digits));
    return [
      [taken.told === undefined ? row : `${row} (${taken.told})`, figure(taken.value, digits), ...targets, ...theirs],
    ];
  });
  return { head: ['', 'hydra', 'target', 'stretch', ...measured.map(([name]) => name)], rows };
}

/** Sentences about peers that could not be had, and cases that failed. */
export function notMeasured({ peers, failures }) {
  return [...Object.values(peers).flatMap((peer) => peer.notMeasured ?? []), ...failures];
}

/** The whole report for a terminal. */
export function reportAsText(report) {
  const { machine, versions, runs } = report;
  const { date, loadAverage } = runs.at(-1);
  const head = `${date}  ${machine.cpu}  Node ${versions.node}  ${machine.pinning}  load ${loadAverage[0].toFixed(2)}`;
  return [head, asText(gatewayTable(report)), ...notMeasured(report)].join('\n\n');
}
