import { expect, it } from 'vitest';
import { CASE_NAMES } from './cases.mjs';
import { parseOptions } from './options.mjs';

it('without options, three rounds of all cases are measured', () => {
  const { rounds, isWanted, json, docs } = parseOptions([]);
  expect({ rounds, json, docs }).toEqual({ rounds: 3, json: false, docs: undefined });
  expect(CASE_NAMES.every(isWanted)).toBe(true);
});

it('given --only, then just these cases are measured', () => {
  const { isWanted } = parseOptions(['--only', 'decode.1,mixed']);
  expect(CASE_NAMES.filter(isWanted)).toEqual(['decode.1', 'mixed']);
});

it('given --help, then every case is named', () => {
  const { usage } = parseOptions(['--help']);
  for (const name of CASE_NAMES) expect(usage).toContain(name);
});

it.each([
  [['--rounds', '0'], '--rounds is "0"'],
  [['--rounds', 'many'], '--rounds is "many"'],
  [['--only', 'decode.3'], 'There is no case "decode.3"'],
  [['--only', 'decode.1', '--docs', 'docs'], 'no --docs with --only'],
  [['--fast'], '--fast'],
])('given %j, then it is refused with a sentence', (argv, message) => {
  expect(() => parseOptions(argv)).toThrow(message);
});
