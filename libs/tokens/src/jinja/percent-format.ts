import type { RenderBounds } from './bounds.js';
import { print, printFixed, repr } from './print.js';
import { fail, isDict, numeric, Tuple, typeName, type Value } from './values.js';

const CONVERSION = /%(?:\((?<name>[^)]*)\))?(?<flags>[-+ 0#]*)(?<width>\d*)(?:\.(?<precision>\d+))?(?<type>.)?/gs;

/** Python's `format % values`: `%s`, `%d`, `%.2f`, `%(name)s` and their kin. */
export function formatPercent(format: string, values: Value, bounds: RenderBounds): string {
  const given = values instanceof Tuple ? values.items : [values];
  let used = 0;
  let length = format.length;
  const text = format.replace(CONVERSION, (...match) => {
    const { name, flags, width, precision, type } = match.at(-1) as Record<string, string | undefined>;
    if (type === '%') return '%';
    const named =
      name === undefined ? undefined : isDict(values) ? values.get(name) : fail('format requires a mapping');
    const value = name === undefined ? given[used++] : named;
    if (value === undefined) return fail(name === undefined ? 'not enough arguments for format string' : `'${name}'`);
    const digits = precision === undefined ? undefined : Number(precision);
    const piece = padded(converted(type, value, digits, flags!, bounds), Number(width || 0), flags!, type!, bounds);
    length += piece.length;
    bounds.characters(length);
    return piece;
  });
  if (used < given.length && !isDict(values)) return fail('not all arguments converted during string formatting');
  return text;
}

function converted(
  type: string | undefined,
  value: Value,
  precision: number | undefined,
  flags: string,
  bounds: RenderBounds,
): string {
  switch (type) {
    case 's':
      return print(value, bounds).slice(0, precision);
    case 'r':
      return repr(value, bounds).slice(0, precision);
    case 'd':
    case 'i':
    case 'u':
      return signed(Math.trunc(numberOf(value, type)), (number) => String(number), flags);
    case 'x':
      return signed(numberOf(value, type), (number) => number.toString(16), flags);
    case 'X':
      return signed(numberOf(value, type), (number) => number.toString(16).toUpperCase(), flags);
    case 'o':
      return signed(numberOf(value, type), (number) => number.toString(8), flags);
    case 'f':
    case 'F':
      return signed(numberOf(value, type), (number) => printFixed(number, precision ?? 6), flags);
    case 'e':
      return signed(numberOf(value, type), (number) => exponential(number, precision ?? 6), flags);
    default:
      return fail(`unsupported format character '${type ?? ''}'`);
  }
}

function numberOf(value: Value, type: string): number {
  return numeric(value) ?? fail(`%${type} format: a real number is required, not ${typeName(value)}`);
}

function signed(value: number, write: (absolute: number) => string, flags: string): string {
  const sign = value < 0 ? '-' : flags.includes('+') ? '+' : flags.includes(' ') ? ' ' : '';
  return sign + write(Math.abs(value));
}

function exponential(value: number, precision: number): string {
  return value.toExponential(Math.min(precision, 100)).replace(/([+-])(\d)$/, '$10$2');
}

function padded(text: string, width: number, flags: string, type: string, bounds: RenderBounds): string {
  bounds.characters(width);
  if (flags.includes('-')) return text.padEnd(width);
  if (!flags.includes('0') || type === 's' || type === 'r') return text.padStart(width);
  const sign = /^[+\- ]/.exec(text)?.[0] ?? '';
  return sign + text.slice(sign.length).padStart(width - sign.length, '0');
}
