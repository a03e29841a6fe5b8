import type { CandidateTerms, PlacementTerms } from './placement-strategy.js';

/**
 * Terms of the candidates of one decision. Hardly any are ever read, so they are numbers in one array until somebody asks for those of a worker.
 */
export class TermsTable<Name extends string> implements CandidateTerms {
  /** Shape [candidates, names]. */
  private readonly values: Float64Array;

  /**
   * @param columns    where each term is, from 0 on
   * @param workerIds  of the candidates
   */
  constructor(
    private readonly columns: Readonly<Record<Name, number>>,
    private readonly width: number,
    private readonly workerIds: readonly string[],
  ) {
    this.values = new Float64Array(workerIds.length * width);
  }

  /** @param place  of the candidate */
  set(place: number, column: number, value: number): void {
    this.values[place * this.width + column] = value;
  }

  at(place: number, column: number): number {
    return this.values[place * this.width + column]!; // there is one
  }

  get(workerId: string): PlacementTerms | undefined {
    const place = this.workerIds.indexOf(workerId);
    if (place < 0) return undefined;
    const terms: Record<string, number> = {};
    for (const name in this.columns) terms[name] = this.at(place, this.columns[name]);
    return terms;
  }
}
