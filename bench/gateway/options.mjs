import { parseArgs } from 'node:util';
import { CASE_NAMES } from './targets.mjs';

const USAGE = `make bench-gateway, or npm run --silent bench:gateway -- [options]

  --only LIST      cases to measure, comma-separated, of
                   ${CASE_NAMES.join(', ')}
  --json           print the report as JSON and nothing else
  --docs FOLDER    write benchmarks/gateway.json and gateway.svg there, and the table of benchmarks.md; with
                   --only, what is there of other cases stays
  --help           print this`;

/** @returns {{isWanted: (name: string) => boolean, isWhole: boolean, json: boolean, docs?: string} | {usage: string}} */
export function parseOptions(argv) {
  const { values } = parseArgs({
    args: argv,
    options: {
      only: { type: 'string' },
      json: { type: 'boolean', default: false },
      docs: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return { usage: USAGE };
  const only = values.only?.split(',');
  const unknown = only?.find((name) => !CASE_NAMES.includes(name));
  if (unknown !== undefined) throw new RangeError(`There is no case "${unknown}"; there are ${CASE_NAMES.join(', ')}.`);
  const { json, docs } = values;
  return { isWanted: (name) => only?.includes(name) ?? true, isWhole: only === undefined, json, docs };
}
