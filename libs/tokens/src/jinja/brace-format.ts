import type { Arguments } from './arguments.js';
import type { RenderBounds } from './bounds.js';
import { print, printFixed, repr } from './print.js';
import { Float, fail, isDict, numeric, orElse, sequenceItems, typeName, type Value } from './values.js';

const FIELD = /\{\{|\}\}|\{(?<name>[^{}!:]*)(?:!(?<conversion>[sr]))?(?::(?<spec>[^{}]*))?\}|[{}]/g;
const SPEC =
  /^(?:(?<fill>.)?(?<align>[<>^=]))?(?<sign>[-+ ])?(?<zero>0)?(?<width>\d*)(?<comma>,)?(?:\.(?<precision>\d+))?(?<type>[a-zA-Z%])?$/su;

/** Python's `str.format`: `{}`, `{0}`, `{name.field[0]}`, with the common format specifications. */
export function formatBraces(format: string, given: Arguments, bounds: RenderBounds): string {
  let next = 0;
  let length = format.length;
  return format.replace(FIELD, (...match) => {
    const whole = match[0] as string;
    if (whole === '{{' || whole === '}}') return whole[0]!;
    const { name, conversion, spec } = match.at(-1) as Record<string, string | undefined>;
    if (name === undefined) return fail(`Single '${whole}' encountered in format string`);
    const value = field(name === '' ? String(next++) : name, given);
    const shown = conversion === undefined ? value : conversion === 'r' ? repr(value, bounds) : print(value, bounds);
    const piece = spec ? specified(shown, spec, bounds) : print(shown, bounds);
    length += piece.length;
    bounds.characters(length);
    return piece;
  });
}

function field(path: string, given: Arguments): Value {
  const [first, ...steps] = path.split(/(?=[.[])/) as [string, ...string[]];
  const place = /^\d+$/.test(first) ? given.positional[Number(first)] : given.keywords.get(first);
  let value: Value = orElse(place, () => fail(`Replacement ${first} is not among the arguments of format()`));
  for (const step of steps) {
    const name = step.replace(/^[.[]|\]$/g, '');
    const key = /^\d+$/.test(name) ? Number(name) : name;
    if (step.startsWith('.')) return fail(`'${typeName(value)}' object has no attribute '${name}'`);
    const found = typeof key === 'number' ? sequenceItems(value)?.[key] : undefined;
    value = orElse(isDict(value) ? value.get(key) : found, () => fail(`there is no item ${name}`));
  }
  return value;
}

function specified(value: Value, spec: string, bounds: RenderBounds): string {
  const groups = SPEC.exec(spec)?.groups ?? fail(`Invalid format specifier '${spec}'`);
  const { fill, align, sign, zero, comma, precision, type } = groups as Record<string, string | undefined>;
  const width = Number(groups['width'] || 0);
  bounds.characters(width);
  const isNumber = typeof value === 'number' || value instanceof Float;
  const text = isNumber
    ? number(value, { sign, comma, type, precision: precision === undefined ? undefined : Number(precision) })
    : print(value, bounds).slice(0, precision === undefined ? undefined : Number(precision));
  const pad = fill ?? (zero === undefined ? ' ' : '0');
  switch (align ?? (isNumber ? (zero === undefined ? '>' : '=') : '<')) {
    case '<':
      return text.padEnd(width, pad);
    case '^':
      return text.padStart(text.length + Math.floor(Math.max(0, width - text.length) / 2), pad).padEnd(width, pad);
    case '=': {
      const head = /^[+\- ]/.exec(text)?.[0] ?? '';
      return head + text.slice(head.length).padStart(width - head.length, pad);
    }
    default:
      return text.padStart(width, pad);
  }
}

interface NumberFormat {
  readonly sign: string | undefined;
  readonly comma: string | undefined;
  readonly type: string | undefined;
  readonly precision: number | undefined;
}

function number(value: number | Float, { sign, comma, type, precision }: NumberFormat): string {
  const given = numeric(value)!;
  const digits = unsigned(value, Math.abs(given), type, precision);
  const grouped =
    comma === undefined ? digits : digits.replace(/^\d+/, (whole) => whole.replace(/\B(?=(\d{3})+$)/g, ','));
  return (given < 0 ? '-' : sign === '+' || sign === ' ' ? sign : '') + grouped;
}

function unsigned(value: number | Float, absolute: number, type: string | undefined, precision: number | undefined) {
  const places = Math.min(precision ?? 6, 100);
  switch (type) {
    case 'f':
    case 'F':
      return printFixed(absolute, places);
    case '%':
      return `${printFixed(absolute * 100, places)}%`;
    case 'x':
      return absolute.toString(16);
    case 'X':
      return absolute.toString(16).toUpperCase();
    case 'b':
      return absolute.toString(2);
    case undefined:
    case 'd':
      if (precision !== undefined && value instanceof Float) return String(Number(absolute.toPrecision(precision)));
      return value instanceof Float && Number.isInteger(absolute) ? absolute.toFixed(1) : String(absolute);
    default:
      return fail(`Unknown format code '${type}' for object of type '${typeName(value)}'`);
  }
}
