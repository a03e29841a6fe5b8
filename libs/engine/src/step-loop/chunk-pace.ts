import type { ChunkBesideDecode, ModelRunnerLimits } from '../model-runner.js';

/** Of the last step in what is expected of the next. Chosen: chunks cost the more the later they stand in their prompt, so the last two have three quarters. */
const LAST_SHARE = 0.5;

/** Of the time there is for a chunk. Chosen: steps that are alike differ by a tenth, and the bound is to hold for them. */
const USED_SHARE = 0.9;

/**
 * How many tokens of a prompt a step computes while others decode: so many that it takes at most `mostSlowdown` times as long as its decode rows
 * alone, by what steps took lately. Before a chunk was computed beside rows, as many as the runner's limits say.
 */
export class ChunkPace {
  private rows = 0;
  private decodeUs = 0;
  private usPerToken: number | undefined;

  constructor(private readonly limits: Pick<ModelRunnerLimits, 'chunkTokens' | 'chunkBesideDecode'>) {}

  /** Most tokens of a chunk in a step that decodes so many rows. */
  tokensBeside(decodeRows: number): number {
    const { chunkTokens, chunkBesideDecode } = this.limits;
    if (decodeRows === 0 || chunkBesideDecode === undefined) return chunkTokens;
    const tokens = this.affordableTokens(decodeRows, chunkBesideDecode);
    return Math.min(chunkTokens, Math.max(chunkBesideDecode.leastTokens, Math.floor(tokens)));
  }

  /** Rows of a step were decoded. */
  decoded(rows: number, durationUs: number): void {
    this.decodeUs = rows === this.rows ? mixed(this.decodeUs, durationUs) : durationUs;
    this.rows = rows;
  }

  /** Behind them, so many tokens of one prompt were computed. Nothing is learned of the few that end one: they take what any run takes, however few. */
  computed(tokens: number, durationUs: number): void {
    if (tokens * 2 < (this.limits.chunkBesideDecode?.leastTokens ?? 0)) return;
    this.usPerToken = mixed(this.usPerToken, Math.max(1, durationUs) / tokens);
  }

  private affordableTokens(decodeRows: number, { tokensPerRow, mostSlowdown }: ChunkBesideDecode): number {
    if (this.usPerToken === undefined || mostSlowdown === undefined) return decodeRows * tokensPerRow;
    // Of fewer rows than were decoded last, no more than their share of that time: it is not known yet.
    const decodeUs = this.decodeUs * Math.min(1, decodeRows / this.rows);
    return (USED_SHARE * (mostSlowdown - 1) * decodeUs) / this.usPerToken;
  }
}

function mixed(before: number | undefined, now: number): number {
  return before === undefined ? now : before + LAST_SHARE * (now - before);
}
