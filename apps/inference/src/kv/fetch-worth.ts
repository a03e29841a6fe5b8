import type { EngineTimeline } from '#lib/engine';
import { FetchTimeModel } from '#lib/placement';

/** Weight of one prompt in the mean speed. Chosen: some ten prompts. */
const PROMPT_WEIGHT = 0.1;
/** Of what does not seem to be worth it, each so many-th is asked for all the same: else nobody would notice that the link is better now. */
const TRY_EVERY = 32;

/** Whether asking the caches for a prompt's blocks takes less time than computing them, by what both took before. */
export class FetchWorth {
  private readonly link = new FetchTimeModel();
  private msPerToken: number | undefined;
  private passedOver = 0;

  noteFetch(bytes: number, durationMs: number): void {
    this.link.observe(1, bytes, durationMs);
  }

  /** What a finished generation's prompt took, with all that was computed beside it. */
  noteComputed({ phases }: EngineTimeline): void {
    let tokens = 0;
    let ms = 0;
    for (const phase of phases) {
      if (phase.kind !== 'prefill-chunk') continue;
      tokens += phase.toToken - phase.fromToken;
      ms += (phase.endUs - phase.startUs) / 1_000;
    }
    if (tokens === 0) return;
    const before = this.msPerToken ?? ms / tokens;
    this.msPerToken = before + PROMPT_WEIGHT * (ms / tokens - before);
  }

  /** Before anything was computed it is. */
  isWorth(tokens: number, bytes: number): boolean {
    if (this.msPerToken === undefined || this.link.fetchMs(bytes) < tokens * this.msPerToken) return true;
    this.passedOver++;
    return this.passedOver % TRY_EVERY === 0;
  }
}
