import { StopStrings } from './stop-strings.js';

export interface StopMatch {
  readonly stop: string;
}

export interface StopPiece {
  /** Text that is safe to deliver: no stop string, nor a part that could become one. */
  readonly text: string;
  /** Set once; everything pushed afterwards is dropped. */
  readonly match?: StopMatch;
}

/**
 * Finds stop strings in streamed text, across the borders of its pieces.
 *
 * The match is the one complete first, at the earliest position where the text ends with a stop string; of those that
 * end there, the longest. So it does not depend on how the text was cut, and no further token is needed to decide:
 * with `ab` and `abc` it is always `ab`. Text that may become a stop string is held back, at most the longest one.
 */
export class StopMatcher {
  private state = 0;
  private held = '';
  private isDone = false;

  /** @param includeStop  whether the delivered text ends with the stop string rather than before it */
  constructor(
    private readonly stops: StopStrings,
    private readonly includeStop = false,
  ) {}

  push(text: string): StopPiece {
    if (this.isDone) return { text: '' };
    if (this.stops.isEmpty) return { text };
    const pending = this.held + text;
    for (let i = this.held.length; i < pending.length; i++) {
      this.state = this.stops.next(this.state, pending.charCodeAt(i));
      const stop = this.stops.matchAt(this.state);
      if (stop !== undefined) {
        this.isDone = true;
        this.held = '';
        const end = i + 1;
        return { text: pending.slice(0, this.includeStop ? end : end - stop.length), match: { stop } };
      }
    }
    const safe = pending.length - this.stops.depth(this.state);
    this.held = pending.slice(safe);
    return { text: pending.slice(0, safe) };
  }

  /** The text has ended: what was held back is no stop string. */
  end(): string {
    const rest = this.held;
    this.held = '';
    this.isDone = true;
    return rest;
  }
}
