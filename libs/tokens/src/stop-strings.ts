export interface StopLimits {
  /** Most strings. Default 64. */
  readonly maxStrings?: number;
  /** Most UTF-16 code units of one string, which is also the most text ever held back. Default 1,024. */
  readonly maxCharacters?: number;
}

/** The stop strings of a request cannot be used; the message says which and why. */
export class InvalidStopStringsError extends Error {
  override readonly name = 'InvalidStopStringsError';
}

const ROOT = 0;
const NO_STRING = -1;

/**
 * A request's stop strings, compiled once and shared by its sequences: an Aho-Corasick automaton over UTF-16 code
 * units. A state stands for the longest end of the text that begins some stop string.
 * @see Aho and Corasick 1975, Efficient string matching, doi:10.1145/360825.360855
 */
export class StopStrings {
  static readonly NONE = new StopStrings([]);

  readonly strings: readonly string[];
  private readonly edges: Map<number, number>[] = [new Map()];
  private readonly fallback: number[] = [ROOT];
  private readonly depths: number[] = [0];
  /** Index of the longest stop string that ends at the state, or NO_STRING. */
  private readonly ended: number[] = [NO_STRING];

  /** @throws InvalidStopStringsError for empty, too long or too many strings, or half of a surrogate pair */
  constructor(strings: readonly string[], limits: StopLimits = {}) {
    const maxStrings = limits.maxStrings ?? 64;
    const maxCharacters = limits.maxCharacters ?? 1024;
    if (strings.length > maxStrings) {
      throw new InvalidStopStringsError(
        `There are ${strings.length} stop strings; at most ${maxStrings} are accepted.`,
      );
    }
    for (const [index, string] of strings.entries()) {
      const fault = faultOf(string, maxCharacters);
      if (fault !== undefined) throw new InvalidStopStringsError(`Stop string ${index} ${fault}.`);
      this.insert(string, index);
    }
    this.strings = [...strings];
    this.linkFallbacks();
  }

  get isEmpty(): boolean {
    return this.strings.length === 0;
  }

  /** The state after one more code unit. */
  next(state: number, codeUnit: number): number {
    for (let from = state; ; from = this.fallback[from]!) {
      const to = this.edges[from]!.get(codeUnit);
      if (to !== undefined) return to;
      if (from === ROOT) return ROOT;
    }
  }

  /** How many code units at the end of the text may still become a stop string. */
  depth(state: number): number {
    return this.depths[state]!;
  }

  /** @returns the longest stop string that ends here */
  matchAt(state: number): string | undefined {
    return this.strings[this.ended[state]!];
  }

  private insert(string: string, index: number): void {
    let state = ROOT;
    for (let i = 0; i < string.length; i++) {
      const codeUnit = string.charCodeAt(i);
      let to = this.edges[state]!.get(codeUnit);
      if (to === undefined) {
        to = this.edges.push(new Map()) - 1;
        this.edges[state]!.set(codeUnit, to);
        this.depths[to] = this.depths[state]! + 1;
        this.ended[to] = NO_STRING;
        this.fallback[to] = ROOT;
      }
      state = to;
    }
    if (this.ended[state] === NO_STRING) this.ended[state] = index;
  }

  /** Breadth first, so that a state's fallback, which is shallower, is complete before the state. */
  private linkFallbacks(): void {
    const queue = [...this.edges[ROOT]!.values()];
    for (const state of queue) {
      if (this.ended[state] === NO_STRING) this.ended[state] = this.ended[this.fallback[state]!]!;
      for (const [codeUnit, to] of this.edges[state]!) {
        this.fallback[to] = this.next(this.fallback[state]!, codeUnit);
        queue.push(to);
      }
    }
  }
}

function faultOf(string: string, maxCharacters: number): string | undefined {
  if (string.length === 0) return 'is empty';
  if (string.length > maxCharacters) return `has ${string.length} characters; at most ${maxCharacters} are accepted`;
  if (!string.isWellFormed()) return 'has half of a surrogate pair';
  return undefined;
}
