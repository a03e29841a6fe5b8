import type { ModelRunnerLimits } from '../model-runner.js';

/** The arithmetic of KV memory in whole pages, in tokens: what `kvTotalBytes` holds, and what a slot takes of it. */
export class KvPages {
  readonly pageTokens: number;
  /** All there is, in whole pages. */
  readonly totalTokens: number;
  /** Most tokens of one sequence: the context, or all there is of KV. */
  readonly contextTokens: number;

  constructor({ contextTokens, kvTotalBytes, kvBytesPerToken, kvPageTokens = 1 }: ModelRunnerLimits) {
    this.pageTokens = kvPageTokens;
    const pageBytes = kvPageTokens * kvBytesPerToken;
    this.totalTokens = pageBytes > 0 ? Math.floor(kvTotalBytes / pageBytes) * kvPageTokens : Infinity;
    this.contextTokens = Math.min(contextTokens, this.totalTokens);
  }

  /** What a slot with `tokens` in it takes. */
  holding(tokens: number): number {
    return Math.ceil(tokens / this.pageTokens) * this.pageTokens;
  }
}
