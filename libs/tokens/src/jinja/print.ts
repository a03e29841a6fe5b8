import type { RenderBounds } from './bounds.js';
import { Attributes, Callable, Float, fail, isDict, isList, Tuple, typeName, Undefined, type Value } from './values.js';

/** Python's `str`: what `{{ value }}`, `~` and the filter `string` write. */
export function print(value: Value, bounds: RenderBounds): string {
  if (typeof value === 'string') return value;
  if (value instanceof Undefined) return '';
  return repr(value, bounds);
}

/** Python's `repr`: how values stand in a printed list or dict. */
export function repr(value: Value, bounds: RenderBounds): string {
  bounds.step();
  if (value === null) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value === 'number') return printInteger(value);
  if (typeof value === 'string') return quoted(value);
  if (value instanceof Float) return printFloat(value.value);
  if (value instanceof Undefined) return 'Undefined';
  if (value instanceof Callable) return `<function ${value.name}>`;
  if (value instanceof Attributes) return `<${value.kind}>`;
  if (isDict(value)) {
    const entries = [...value].map(([key, item]) => `${repr(key, bounds)}: ${repr(item, bounds)}`);
    return `{${joined(entries, ', ', bounds)}}`;
  }
  if (value instanceof Tuple) {
    const items = value.items.map((item) => repr(item, bounds));
    return items.length === 1 ? `(${items[0]},)` : `(${joined(items, ', ', bounds)})`;
  }
  return `[${joined(
    value.map((item) => repr(item, bounds)),
    ', ',
    bounds,
  )}]`;
}

/** Joins, and refuses a text over the bound before it is made. */
export function joined(parts: readonly string[], separator: string, bounds: RenderBounds): string {
  bounds.characters(parts.reduce((sum, part) => sum + part.length, separator.length * Math.max(0, parts.length - 1)));
  return parts.join(separator);
}

function printInteger(value: number): string {
  return Number.isSafeInteger(value) ? String(value) : BigInt(value).toString();
}

/** Shortest digits that read back as the number, in Python's notation: 1.0, 1e+20, 1e-07, inf, nan. */
export function printFloat(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
  if (Object.is(value, -0)) return '-0.0';
  const [digits, exponentText] = value.toExponential().split('e') as [string, string];
  const exponent = Number(exponentText);
  if (value !== 0 && (exponent < -4 || exponent >= 16)) {
    return `${digits}e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`;
  }
  if (Number.isInteger(value)) return `${BigInt(value)}.0`;
  return exponent >= 0 ? String(value) : value.toFixed(digits.replace(/\D/g, '').length - 1 - exponent);
}

/** Python's `format(value, '.2f')`: halves go to the even digit, where `toFixed` goes up. */
export function printFixed(value: number, digits: number): string {
  const places = Math.min(Math.max(digits, 0), 70);
  const text = value.toFixed(places);
  if (!/^50*$/.test(value.toFixed(places + 30).slice(-30))) return text;
  const down = Number(text.at(-1)) % 2 === 1;
  return down ? (value - Math.sign(value) * 10 ** -places * 0.25).toFixed(places) : text;
}

const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' };

function quoted(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const escaped = text.replace(/[\\\n\r\t'"]|[^\P{C}\u{E000}-\u{F8FF}]|(?! )\p{Z}/gu, (character) => {
    if (character === "'" || character === '"') return character === quote ? `\\${character}` : character;
    return ESCAPES[character] ?? escapedPoint(character.codePointAt(0)!);
  });
  return `${quote}${escaped}${quote}`;
}

function escapedPoint(point: number): string {
  if (point < 0x100) return `\\x${point.toString(16).padStart(2, '0')}`;
  return point < 0x10000 ? `\\u${point.toString(16).padStart(4, '0')}` : `\\U${point.toString(16).padStart(8, '0')}`;
}

export interface JsonOptions {
  readonly ensureAscii: boolean;
  /** What one level is indented with; null: all in one line. */
  readonly indent: string | null;
  readonly separators: readonly [item: string, key: string];
  readonly sortKeys: boolean;
}

/** Python's `json.dumps`. */
export function toJson(value: Value, options: JsonOptions, bounds: RenderBounds, depth = 0): string {
  bounds.step();
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'number') return printInteger(value);
  if (value instanceof Float) return jsonFloat(value.value);
  if (typeof value === 'string') return jsonText(value, options);
  const items = value instanceof Tuple ? value.items : value;
  if (isDict(items)) {
    const names = [...items.keys()];
    if (options.sortKeys) names.sort();
    const entries = names.map((name) => {
      const text = toJson(items.get(name)!, options, bounds, depth + 1);
      return `${jsonText(keyText(name), options)}${options.separators[1]}${text}`;
    });
    return `{${indented(entries, options, bounds, depth)}}`;
  }
  if (!isList(items)) return fail(`Object of type ${typeName(value)} is not JSON serializable`);
  const texts = items.map((item) => toJson(item, options, bounds, depth + 1));
  return `[${indented(texts, options, bounds, depth)}]`;
}

function indented(parts: readonly string[], { indent, separators }: JsonOptions, bounds: RenderBounds, depth: number) {
  if (indent === null || parts.length === 0) return joined(parts, separators[0], bounds);
  bounds.characters(indent.length * (depth + 1) * parts.length);
  const lineFeed = `\n${indent.repeat(depth + 1)}`;
  return `${lineFeed}${joined(parts, separators[0] + lineFeed, bounds)}\n${indent.repeat(depth)}`;
}

function keyText(key: Value): string {
  if (typeof key === 'string') return key;
  if (key === null || typeof key === 'boolean') return String(key);
  if (typeof key === 'number') return printInteger(key);
  return fail(`keys must be str, int, float, bool or None, not ${typeName(key)}`);
}

function jsonFloat(value: number): string {
  if (Number.isFinite(value)) return printFloat(value);
  return Number.isNaN(value) ? 'NaN' : value > 0 ? 'Infinity' : '-Infinity';
}

function jsonText(text: string, { ensureAscii }: JsonOptions): string {
  const json = JSON.stringify(text);
  if (!ensureAscii) return json;
  return json.replace(/[\x7f-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
