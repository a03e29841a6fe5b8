import type { Arguments } from './arguments.js';
import type { Filter, FilterContext } from './filter.js';
import { formatPercent } from './percent-format.js';
import { print } from './print.js';
import { capitalize, replaceText, splitLines, stringMethods, strip } from './string-methods.js';
import { fail, isDict, iterate, sequenceItems, Tuple, type Value } from './values.js';

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&#34;',
  "'": '&#39;',
};
const escaped = onText((text) => text.replace(/[&<>"']/g, (character) => ENTITIES[character]!));

/** jinja2's filters over texts; what is no text is printed first. */
export const textFilters: readonly (readonly [string, Filter])[] = [
  ['string', onText((text) => text)],
  ['safe', onText((text) => text)],
  ['escape', escaped],
  ['e', escaped],
  ['forceescape', escaped],
  ['upper', onText((text) => text.toUpperCase())],
  ['lower', onText((text) => text.toLowerCase())],
  ['capitalize', onText(capitalize)],
  ['title', onText((text) => text.replace(/[^-\s({[<]+/g, capitalize))],
  ['trim', onText((text, given) => strip(text, given.optionalText(0, 'chars'), 'both'))],
  [
    'replace',
    onText((text, given, { bounds }) => {
      const count = given.get(2, 'count') ?? null;
      const [old, by] = [given.required(0, 'old'), given.required(1, 'new')].map((part) => print(part, bounds));
      return replaceText(text, old!, by!, count === null ? -1 : given.integer(2, 'count', -1), bounds);
    }),
  ],
  ['indent', onText(indent)],
  ['truncate', onText(truncate)],
  ['wordcount', onText((text) => text.match(/[\p{L}\p{N}_]+/gu)?.length ?? 0)],
  ['center', onText((text, given, { bounds }) => stringMethods.get('center')!(text, withWidth(given), bounds))],
  ['format', onText(format)],
  ['urlencode', urlEncode],
  [
    'striptags',
    onText((text) =>
      text
        .replace(/<!--.*?-->|<[^>]*>/gs, '')
        .split(/\s+/)
        .filter(Boolean)
        .join(' '),
    ),
  ],
];

function onText(filter: (text: string, given: Arguments, context: FilterContext) => Value): Filter {
  return (value, given, context) => filter(print(value, context.bounds), given, context);
}

function withWidth(given: Arguments): Arguments {
  return given.get(0, 'width') === undefined
    ? new (given.constructor as typeof Arguments)('center', [80], new Map())
    : given;
}

function format(text: string, given: Arguments, { bounds }: FilterContext): Value {
  return formatPercent(text, given.keywords.size > 0 ? given.keywords : new Tuple(given.positional), bounds);
}

function indent(text: string, given: Arguments, { bounds }: FilterContext): Value {
  const width = given.get(0, 'width') ?? 4;
  const spaces = typeof width === 'string' ? width.length : given.integer(0, 'width', 4);
  const lines = splitLines(`${text}\n`);
  bounds.characters(text.length + lines.length * spaces);
  const margin = typeof width === 'string' ? width : ' '.repeat(Math.max(0, spaces));
  const isBlank = given.flag(2, 'blank');
  const [first = '', ...others] = lines;
  const indented = others.map((line) => (line === '' && !isBlank ? line : margin + line));
  return [given.flag(1, 'first') ? margin + first : first, ...indented].join('\n');
}

function truncate(text: string, given: Arguments): Value {
  const length = given.integer(0, 'length', 255);
  const end = given.text(2, 'end', '...');
  const points = [...text];
  if (points.length <= length + given.integer(3, 'leeway', 5)) return text;
  const kept = points.slice(0, Math.max(0, length - [...end].length)).join('');
  if (given.flag(1, 'killwords')) return kept + end;
  const space = kept.lastIndexOf(' ');
  return (space === -1 ? kept : kept.slice(0, space)) + end;
}

function urlEncode(value: Value, _given: Arguments, { bounds }: FilterContext): Value {
  const encode = (part: Value, isPath: boolean) => {
    const text = encodeURIComponent(print(part, bounds)).replace(
      /[!'()*]/g,
      (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
    );
    return isPath ? text.replaceAll('%2F', '/') : text;
  };
  if (typeof value === 'string' || (!isDict(value) && sequenceItems(value) === undefined)) return encode(value, true);
  const pairs = isDict(value) ? [...value] : iterate(value).map(iterate);
  return pairs
    .map(([name, item]) => {
      if (name === undefined || item === undefined) return fail('urlencode takes pairs');
      return `${encode(name, false)}=${encode(item, false)}`;
    })
    .join('&');
}
