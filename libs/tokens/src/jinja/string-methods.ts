import type { Arguments } from './arguments.js';
import type { RenderBounds } from './bounds.js';
import { formatBraces } from './brace-format.js';
import type { Method } from './method.js';
import { joined } from './print.js';
import { fail, iterate, Tuple, typeName, type Value } from './values.js';

/** Python's white space, as `str.strip` and `str.split` see it. */
const SPACE = '\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000';
const LEADING_SPACE = new RegExp(`^[${SPACE}]+`);
const SPACES = new RegExp(`[${SPACE}]+`, 'g');
const LINE_END_CHARACTERS = '\\n-\\r\\x1c-\\x1e\\x85\\u2028\\u2029';
const LINE_END = new RegExp(`\\r\\n|[${LINE_END_CHARACTERS}]`, 'g');

/** Strips characters of the set; white space when it is undefined. */
export function strip(text: string, characters: string | undefined, sides: 'left' | 'right' | 'both'): string {
  const points = [...text];
  const isStripped = (point: string) => (characters === undefined ? isSpace(point) : characters.includes(point));
  let [start, end] = [0, points.length];
  if (sides !== 'right') while (start < end && isStripped(points[start]!)) start++;
  if (sides !== 'left') while (end > start && isStripped(points[end - 1]!)) end--;
  return points.slice(start, end).join('');
}

function isSpace(point: string): boolean {
  return LEADING_SPACE.test(point);
}

export function capitalize(text: string): string {
  const [first = '', ...rest] = text;
  return first.toUpperCase() + rest.join('').toLowerCase();
}

export function splitLines(text: string, keepEnds = false): string[] {
  const lines: string[] = [];
  let start = 0;
  for (const end of text.matchAll(LINE_END)) {
    lines.push(text.slice(start, end.index + (keepEnds ? end[0].length : 0)));
    start = end.index + end[0].length;
  }
  if (start < text.length) lines.push(text.slice(start));
  return lines;
}

/** At most `count` replacements, all when negative. */
export function replaceText(text: string, old: string, by: string, count: number, bounds: RenderBounds): string {
  const parts = old === '' ? ['', ...text, ''] : text.split(old);
  const kept = count < 0 ? parts.length : count + 1;
  bounds.characters(text.length + Math.min(parts.length, kept) * by.length);
  if (parts.length <= kept) return parts.join(by);
  return parts.slice(0, kept).join(by) + rest(parts.slice(kept), old);
}

/** What was not replaced, with the separators that stood before each part. */
function rest(parts: readonly string[], old: string): string {
  return parts.map((part) => old + part).join('');
}

function split(text: string, separator: string | undefined, maximum: number): string[] {
  if (separator === '') return fail('empty separator');
  if (separator !== undefined) {
    const parts = text.split(separator);
    if (maximum < 0 || parts.length <= maximum + 1) return parts;
    return [...parts.slice(0, maximum), parts.slice(maximum).join(separator)];
  }
  const parts: string[] = [];
  let remaining = strip(text, undefined, 'left');
  while (remaining !== '' && (maximum < 0 || parts.length < maximum)) {
    SPACES.lastIndex = 0;
    const space = SPACES.exec(remaining);
    if (space === null) break;
    parts.push(remaining.slice(0, space.index));
    remaining = remaining.slice(space.index + space[0].length);
  }
  if (remaining !== '') parts.push(remaining);
  return parts;
}

function splitFromRight(text: string, separator: string | undefined, maximum: number): string[] {
  const reversed = (given: string) => [...given].reverse().join('');
  const parts = split(reversed(text), separator === undefined ? undefined : reversed(separator), maximum);
  return parts.reverse().map(reversed);
}

function partition(text: string, separator: string, at: number): Tuple {
  if (separator === '') return fail('empty separator');
  return new Tuple([text.slice(0, at), separator, text.slice(at + separator.length)]);
}

/** The text between the optional places, and where it begins, in code points. */
function range(text: string, given: Arguments): { readonly part: string; readonly start: number } {
  const points = [...text];
  const from = given.integer(1, 'start', 0);
  const start = from < 0 ? Math.max(0, from + points.length) : from;
  const end = given.get(2, 'end') === undefined ? points.length : given.integer(2, 'end', 0);
  return { part: points.slice(from, end).join(''), start };
}

function find(text: string, given: Arguments, isLast: boolean): number {
  const { part, start } = range(text, given);
  const wanted = given.text(0, 'sub');
  const at = isLast ? part.lastIndexOf(wanted) : part.indexOf(wanted);
  return at === -1 ? -1 : start + [...part.slice(0, at)].length;
}

function affix(text: string, given: Arguments, test: (part: string, affix: string) => boolean): boolean {
  const wanted = given.required(0, 'prefix');
  const { part } = range(text, given);
  if (typeof wanted === 'string') return test(part, wanted);
  if (!(wanted instanceof Tuple)) return fail(`the argument must be str or a tuple of str, not ${typeName(wanted)}`);
  return wanted.items.some((one) => typeof one === 'string' && test(part, one));
}

function join(separator: string, values: Value, bounds: RenderBounds): string {
  const parts = iterate(values).map((part, i) =>
    typeof part === 'string' ? part : fail(`sequence item ${i}: expected str instance, ${typeName(part)} found`),
  );
  return joined(parts, separator, bounds);
}

function pad(text: string, given: Arguments, side: 'left' | 'right' | 'both', bounds: RenderBounds): string {
  const width = given.integer(0, 'width', 0);
  bounds.characters(width);
  const missing = Math.max(0, width - [...text].length);
  const left = side === 'left' ? missing : side === 'right' ? 0 : Math.floor(missing / 2) + (missing & width & 1);
  const fill = given.text(1, 'fillchar', ' ');
  return fill.repeat(left) + text + fill.repeat(missing - left);
}

const matches =
  (pattern: RegExp): Method<string> =>
  (text) =>
    pattern.test(text);

export const stringMethods: ReadonlyMap<string, Method<string>> = new Map<string, Method<string>>([
  ['upper', (text) => text.toUpperCase()],
  ['lower', (text) => text.toLowerCase()],
  ['casefold', (text) => text.toLowerCase().replaceAll('ß', 'ss')],
  ['capitalize', (text) => capitalize(text)],
  ['swapcase', (text) => text.replace(/\p{L}/gu, (c) => (c === c.toUpperCase() ? c.toLowerCase() : c.toUpperCase()))],
  ['title', (text) => text.replace(/\p{L}+/gu, capitalize)],
  ['strip', (text, given) => strip(text, given.optionalText(0, 'chars'), 'both')],
  ['lstrip', (text, given) => strip(text, given.optionalText(0, 'chars'), 'left')],
  ['rstrip', (text, given) => strip(text, given.optionalText(0, 'chars'), 'right')],
  ['split', (text, given) => split(text, given.optionalText(0, 'sep'), given.integer(1, 'maxsplit', -1))],
  ['rsplit', (text, given) => splitFromRight(text, given.optionalText(0, 'sep'), given.integer(1, 'maxsplit', -1))],
  ['splitlines', (text, given) => splitLines(text, given.flag(0, 'keepends'))],
  [
    'partition',
    (text, given) => {
      const at = text.indexOf(given.text(0, 'sep'));
      return at === -1 ? new Tuple([text, '', '']) : partition(text, given.text(0, 'sep'), at);
    },
  ],
  [
    'rpartition',
    (text, given) => {
      const at = text.lastIndexOf(given.text(0, 'sep'));
      return at === -1 ? new Tuple(['', '', text]) : partition(text, given.text(0, 'sep'), at);
    },
  ],
  [
    'replace',
    (text, given, bounds) =>
      replaceText(text, given.text(0, 'old'), given.text(1, 'new'), given.integer(2, 'count', -1), bounds),
  ],
  ['startswith', (text, given) => affix(text, given, (part, prefix) => part.startsWith(prefix))],
  ['endswith', (text, given) => affix(text, given, (part, suffix) => part.endsWith(suffix))],
  [
    'removeprefix',
    (text, given) => (text.startsWith(given.text(0, 'prefix')) ? text.slice(given.text(0, 'prefix').length) : text),
  ],
  [
    'removesuffix',
    (text, given) => {
      const suffix = given.text(0, 'suffix');
      return suffix !== '' && text.endsWith(suffix) ? text.slice(0, -suffix.length) : text;
    },
  ],
  ['find', (text, given) => find(text, given, false)],
  ['rfind', (text, given) => find(text, given, true)],
  ['index', (text, given) => found(find(text, given, false))],
  ['rindex', (text, given) => found(find(text, given, true))],
  [
    'count',
    (text, given) => {
      const { part } = range(text, given);
      const wanted = given.text(0, 'sub');
      return wanted === '' ? [...part].length + 1 : part.split(wanted).length - 1;
    },
  ],
  ['join', (text, given, bounds) => join(text, given.required(0, 'iterable'), bounds)],
  ['format', (text, given, bounds) => formatBraces(text, given, bounds)],
  ['center', (text, given, bounds) => pad(text, given, 'both', bounds)],
  ['ljust', (text, given, bounds) => pad(text, given, 'right', bounds)],
  ['rjust', (text, given, bounds) => pad(text, given, 'left', bounds)],
  [
    'zfill',
    (text, given, bounds) => {
      const width = given.integer(0, 'width', 0);
      bounds.characters(width);
      const sign = /^[+-]/.exec(text)?.[0] ?? '';
      return sign + text.slice(sign.length).padStart(width - sign.length, '0');
    },
  ],
  ['isdigit', matches(/^\p{Nd}+$/u)],
  ['isdecimal', matches(/^\p{Nd}+$/u)],
  ['isnumeric', matches(/^\p{N}+$/u)],
  ['isalpha', matches(/^\p{L}+$/u)],
  ['isalnum', matches(/^[\p{L}\p{N}]+$/u)],
  ['isascii', (text) => [...text].every((point) => point.codePointAt(0)! < 128)],
  ['isspace', (text) => text !== '' && strip(text, undefined, 'both') === ''],
  ['isupper', (text) => text === text.toUpperCase() && text !== text.toLowerCase()],
  ['islower', (text) => text === text.toLowerCase() && text !== text.toUpperCase()],
  ['istitle', (text) => /\p{L}/u.test(text) && text === text.replace(/\p{L}+/gu, capitalize)],
]);

function found(index: number): number {
  return index === -1 ? fail('substring not found') : index;
}
