import { Float, fail, isTrue, type Keywords, orElse, typeName, Undefined, type Value } from './values.js';

/** The arguments of a filter, test or method, by place or by name. */
export class Arguments {
  constructor(
    /** For messages of errors. */
    private readonly callee: string,
    readonly positional: readonly Value[],
    readonly keywords: Keywords,
  ) {}

  /** @returns `undefined` when it was not given */
  get(place: number, name: string): Value | undefined {
    return orElse(this.positional[place], () => this.keywords.get(name));
  }

  required(place: number, name: string): Value {
    return orElse(this.get(place, name), () => fail(`${this.callee}() misses its argument ${name}`));
  }

  text(place: number, name: string): string;
  text(place: number, name: string, otherwise: string): string;
  text(place: number, name: string, otherwise?: string): string {
    const value = otherwise === undefined ? this.required(place, name) : this.get(place, name);
    if (value === undefined) return otherwise!;
    if (value instanceof Undefined) return fail(value.reason);
    return typeof value === 'string' ? value : fail(`${this.callee}() takes a str, not ${typeName(value)}`);
  }

  /** A text, or `undefined` for none and where nothing was given. */
  optionalText(place: number, name: string): string | undefined {
    return (this.get(place, name) ?? null) === null ? undefined : this.text(place, name);
  }

  integer(place: number, name: string, otherwise: number): number {
    const value = this.get(place, name) ?? otherwise;
    if (typeof value === 'boolean') return Number(value);
    if (value instanceof Undefined) return fail(value.reason);
    return typeof value === 'number' ? value : fail(`${this.callee}() takes an int, not ${typeName(value)}`);
  }

  flag(place: number, name: string, otherwise = false): boolean {
    const value = this.get(place, name);
    return value === undefined ? otherwise : isTrue(value);
  }

  /** The arguments after the first ones. */
  after(count: number): Arguments {
    return new Arguments(this.callee, this.positional.slice(count), this.keywords);
  }
}

/** Python's `int(float)`, exact. */
export function truncated(value: Value): Value {
  return value instanceof Float ? Math.trunc(value.value) : value;
}
