import type { CandidateTerms, PlacementTerms } from './placement-strategy.js';

/** The terms of a strategy, and a table of them for each of its decisions. */
export class TermColumns<Name extends string> {
  readonly width: number;
  /** Zeros that V8 keeps as doubles. */
  private readonly zeros: number[] = [];

  /** @param places  where each term is: 0, 1, 2 and so on */
  constructor(readonly places: Readonly<Record<Name, number>>) {
    this.width = Object.keys(places).length;
  }

  /**
   * @param workerIds  of the candidates, one for each row
   * @returns all terms 0
   */
  table(workerIds: readonly string[]): TermsTable<Name> {
    return new TermsTable(this, workerIds, this.zeroed(workerIds.length * this.width));
  }

  /**
   * Not a typed array, whose memory V8 would get from the C library for each decision. And a copy: an array that is filled with zeros is one of small
   * integers, and is put together anew at the first term that is none (1.2 % of a decision over 64 workers, Node 24, `perf`, 2026-11-30).
   */
  private zeroed(length: number): number[] {
    const { zeros } = this;
    while (zeros.length < length) {
      zeros.push(0.5); // from then on it is one of doubles
      zeros[zeros.length - 1] = 0;
    }
    return zeros.slice(0, length);
  }
}

/**
 * Terms of the candidates of one decision. Hardly any are ever read, so they are numbers in one array until somebody asks for those of a worker.
 */
export class TermsTable<Name extends string> implements CandidateTerms {
  /** @param values  shape [candidates, columns] */
  constructor(
    private readonly columns: TermColumns<Name>,
    private readonly workerIds: readonly string[],
    private readonly values: number[],
  ) {}

  set(row: number, column: number, value: number): void {
    this.values[row * this.columns.width + column] = value;
  }

  at(row: number, column: number): number {
    return this.values[row * this.columns.width + column]!; // there is one
  }

  get(workerId: string): PlacementTerms | undefined {
    const row = this.workerIds.indexOf(workerId);
    if (row < 0) return undefined;
    const { places } = this.columns;
    const terms: Record<string, number> = {};
    for (const name in places) terms[name] = this.at(row, places[name]);
    return terms;
  }

  /** Of those that are no candidates it has nothing. */
  only(workerIds: readonly string[]): TermsTable<Name> {
    const rows = workerIds.map((workerId) => this.workerIds.indexOf(workerId)).filter((row) => row >= 0);
    const copy = this.columns.table(rows.map((row) => this.workerIds[row]!));
    for (const [row, from] of rows.entries()) {
      for (let column = 0; column < this.columns.width; column++) copy.set(row, column, this.at(from, column));
    }
    return copy;
  }
}
