import { type DetokenizerOptions, IncrementalDetokenizer } from './incremental-detokenizer.js';
import { type StopMatch, StopMatcher } from './stop-matcher.js';
import { StopStrings } from './stop-strings.js';
import type { TokenTable } from './token-table.js';

export interface SequenceTextOptions extends DetokenizerOptions {
  /** Compiled once per request. Default none. */
  readonly stops?: StopStrings;
  /** Whether the text ends with the stop string rather than before it. Default false. */
  readonly includeStop?: boolean;
  /** The text of the first `minTokens` tokens is delivered as it is: stop strings are looked for after it. Default 0. */
  readonly minTokens?: number;
}

export interface SequencePiece {
  readonly text: string;
  /** The sequence ends here; what is pushed afterwards is dropped. */
  readonly stopMatch?: StopMatch;
}

/** The text of one sequence: from the ids of each step to what may be sent to the client. */
export class SequenceText {
  private readonly detokenizer: IncrementalDetokenizer;
  private readonly matcher: StopMatcher;
  private readonly minTokens: number;
  private tokens = 0;
  private isStopped = false;

  constructor(table: TokenTable, options: SequenceTextOptions = {}) {
    this.detokenizer = new IncrementalDetokenizer(table, options);
    this.matcher = new StopMatcher(options.stops ?? StopStrings.NONE, options.includeStop);
    this.minTokens = options.minTokens ?? 0;
  }

  /** Tokens taken, up to and including the one that completed a stop string. */
  get tokenCount(): number {
    return this.tokens;
  }

  push(tokenIds: ArrayLike<number>): SequencePiece {
    let text = '';
    for (let i = 0; i < tokenIds.length && !this.isStopped; i++) {
      this.tokens++;
      const written = this.detokenizer.push(tokenIds[i]!);
      if (this.tokens <= this.minTokens) {
        text += written;
        continue;
      }
      const piece = this.matcher.push(written);
      text += piece.text;
      if (piece.match !== undefined) {
        this.isStopped = true;
        return { text, stopMatch: piece.match };
      }
    }
    return { text };
  }

  /** The sequence ended for another reason (length, end token): what was held back, at most once. */
  finish(): SequencePiece {
    if (this.isStopped) return { text: '' };
    this.isStopped = true;
    const rest = this.detokenizer.end();
    if (this.tokens <= this.minTokens) return { text: rest };
    const piece = this.matcher.push(rest);
    if (piece.match !== undefined) return { text: piece.text, stopMatch: piece.match };
    return { text: piece.text + this.matcher.end() };
  }
}
