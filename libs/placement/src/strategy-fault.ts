/** A strategy broke its contract: it threw, or chose what is no candidate. Its request is refused; others are not touched. */
export interface StrategyFault {
  readonly strategy: string;
  readonly modelId: string;
  /** What it threw, or an error that says what was wrong with its choice. */
  readonly cause: unknown;
}
