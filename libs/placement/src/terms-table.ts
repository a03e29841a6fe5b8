import type { CandidateTerms, PlacementTerms } from './placement-strategy.js';

/**
 * Terms of the candidates of one decision. Hardly any are ever read, so they are numbers in one array until somebody asks for those of a worker.
 */
export class TermsTable<Name extends string> implements CandidateTerms {
  private readonly width: number;
  /** Shape [candidates, columns]. */
  private readonly values: number[];

  /**
   * @param columns    where each term is: 0, 1, 2 and so on
   * @param workerIds  of the candidates, one for each row
   */
  constructor(
    private readonly columns: Readonly<Record<Name, number>>,
    private readonly workerIds: readonly string[],
  ) {
    this.width = Object.keys(columns).length;
    this.values = zeros(workerIds.length * this.width);
  }

  set(row: number, column: number, value: number): void {
    this.values[row * this.width + column] = value;
  }

  at(row: number, column: number): number {
    return this.values[row * this.width + column]!; // there is one
  }

  get(workerId: string): PlacementTerms | undefined {
    const row = this.workerIds.indexOf(workerId);
    if (row < 0) return undefined;
    const terms: Record<string, number> = {};
    for (const name in this.columns) terms[name] = this.at(row, this.columns[name]);
    return terms;
  }

  /** Of those that are no candidates it has nothing. */
  only(workerIds: readonly string[]): TermsTable<Name> {
    const rows = workerIds.map((workerId) => this.workerIds.indexOf(workerId)).filter((row) => row >= 0);
    const copy = new TermsTable(
      this.columns,
      rows.map((row) => this.workerIds[row]!),
    );
    for (const [row, from] of rows.entries()) {
      for (let column = 0; column < this.width; column++) copy.set(row, column, this.at(from, column));
    }
    return copy;
  }
}

/** Zeros that V8 keeps as doubles, since each has been one that is no integer. */
const DOUBLES: number[] = [];

/**
 * Not a typed array, whose memory V8 would get from the C library for each decision, and not one filled with zeros, which V8 would keep as small
 * integers and put together anew at the first term that is none.
 */
function zeros(length: number): number[] {
  while (DOUBLES.length < length) {
    DOUBLES.push(0.5);
    DOUBLES[DOUBLES.length - 1] = 0;
  }
  return DOUBLES.slice(0, length);
}
