import { parseArgs } from 'node:util';
import { CASE_NAMES } from './cases.mjs';

const USAGE = `make bench-engine, or npm run --silent bench:engine -- [options]

  --rounds N       rounds, each with fresh processes; default 3
  --only LIST      cases to measure, comma-separated, of
                   ${CASE_NAMES.join(', ')}
  --json           print the report as JSON and nothing else
  --docs FOLDER    write benchmarks/engine.json and engine.svg there, and the tables of benchmarks.md
  --help           print this`;

/** @returns {{rounds: number, isWanted: (name: string) => boolean, json: boolean, docs?: string} | {usage: string}} */
export function parseOptions(argv) {
  const { values } = parseArgs({
    args: argv,
    options: {
      rounds: { type: 'string', default: '3' },
      only: { type: 'string' },
      json: { type: 'boolean', default: false },
      docs: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return { usage: USAGE };
  const rounds = Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1) {
    throw new RangeError(`--rounds is "${values.rounds}"; expected a whole number of at least 1.`);
  }
  const only = values.only?.split(',');
  const unknown = only?.find((name) => !CASE_NAMES.includes(name));
  if (unknown !== undefined) throw new RangeError(`There is no case "${unknown}"; there are ${CASE_NAMES.join(', ')}.`);
  const { json, docs } = values;
  if (docs !== undefined && only !== undefined) throw new RangeError('The docs show all cases: no --docs with --only.');
  return { rounds, isWanted: (name) => only?.includes(name) ?? true, json, docs };
}
