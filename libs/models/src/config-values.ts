import { UnsupportedModelError } from './errors.js';
import { isJsonObject, type JsonObject } from './json-object.js';

/** Sizes are 32-bit numbers in graphs. */
export const MOST = 2 ** 31 - 1;
/** Quotients and products of two such numbers are finite in float32. */
export const SMALLEST_FACTOR = 1e-6;
export const LARGEST_FACTOR = 1e30;

/** The values of a model's configuration, each checked for what it may be. `null` is absent, as in transformers. */
export class ConfigValues {
  /**
   * @param model  how errors call the model
   * @param place  how they call what the values stand in: `its config.json`
   */
  constructor(
    private readonly values: JsonObject,
    private readonly model: string,
    private readonly place: string,
  ) {}

  /** A number of things, of which there is one at least. */
  size(key: string): number | undefined {
    const isSize = (value: unknown) => Number.isInteger(value) && (value as number) >= 1 && (value as number) <= MOST;
    return this.checked<number>(key, isSize, `a whole number from 1 to ${MOST}`);
  }

  /** A number that is multiplied and divided with. */
  factor(key: string): number | undefined {
    return this.number(key, SMALLEST_FACTOR, LARGEST_FACTOR);
  }

  /** @param least  at least; @param most  at most */
  number(key: string, least: number, most: number): number | undefined {
    const isWithin = (value: unknown) => typeof value === 'number' && value >= least && value <= most;
    return this.checked<number>(key, isWithin, `a number from ${least} to ${most}`);
  }

  boolean(key: string): boolean | undefined {
    return this.checked<boolean>(key, (value) => typeof value === 'boolean', 'true or false');
  }

  string(key: string): string | undefined {
    return this.checked<string>(key, (value) => typeof value === 'string', 'a string');
  }

  object(key: string): JsonObject | undefined {
    return this.checked<JsonObject>(key, isJsonObject, 'an object');
  }

  /** @throws UnsupportedModelError when the value is absent */
  required<T>(key: string, value: T | undefined): T {
    if (value === undefined) throw new UnsupportedModelError(this.model, `${this.place} has no ${key}`);
    return value;
  }

  private checked<T>(key: string, isAllowed: (value: unknown) => boolean, allowed: string): T | undefined {
    const value = this.values[key] ?? undefined;
    if (value === undefined) return undefined;
    if (isAllowed(value)) return value as T;
    const found = JSON.stringify(value).slice(0, 60);
    throw new UnsupportedModelError(this.model, `${key} in ${this.place} is ${found}, where ${allowed} is expected`);
  }
}
