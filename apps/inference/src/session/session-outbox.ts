import type { Failed, Finished, Frame, FrameEntry, SessionResponse } from '#lib/contracts';
import { mergedEntry } from './merged-entry.js';

/** Ends that may wait for a gateway that does not read. Entries are bounded by credit; ends are bounded here. */
const MAX_WAITING_ENDS = 4_096;

/** The part of a gRPC call that the outbox needs. */
export interface SessionWriter {
  write(message: SessionResponse): boolean;
  once(event: 'drain', listener: () => void): unknown;
}

type End =
  | { readonly $case: 'finished'; readonly value: Finished }
  | { readonly $case: 'failed'; readonly value: Failed };

/**
 * What is to be sent to one gateway. While the socket takes it, a step is a frame, with the ends that come right after it for a gateway that takes them so. While the socket is full, steps are
 * merged into one frame to come, an entry per sequence, so what waits is at most the credit of the open generations.
 */
export class SessionOutbox {
  /** The gateway understands `Frame.ended`. */
  takesEnded = false;
  /** The last step's, until the turn is over: ends may follow. */
  private fresh: Frame | undefined;
  private heldStep = 0;
  private readonly heldEntries = new Map<string, FrameEntry>();
  private readonly heldEnds = new Map<string, End>();
  private isBlocked = false;
  private isClosed = false;
  private emptyListener: (() => void) | undefined;

  constructor(
    private readonly writer: SessionWriter,
    private readonly onOverflow: () => void,
  ) {}

  frame(step: number, entries: FrameEntry[]): void {
    if (this.isClosed || entries.length === 0) return;
    this.sendFresh();
    if (!this.isBlocked) {
      this.begin({ step, entries, ended: [] });
      return;
    }
    this.heldStep = step;
    for (const entry of entries) this.hold(entry);
  }

  /** After the generation's last frame. */
  end(end: End): void {
    if (this.isClosed) return;
    if (this.fresh !== undefined && end.$case === 'finished') {
      this.fresh.ended.push(end.value);
      return;
    }
    this.sendFresh();
    if (!this.isBlocked) {
      this.write(end);
      return;
    }
    this.heldEnds.set(end.value.generationId, end);
    if (this.heldEnds.size > MAX_WAITING_ENDS) this.onOverflow();
  }

  /** Whether something of the generation waits here: its id is not free yet. */
  holds(generationId: string): boolean {
    return this.heldEnds.has(generationId);
  }

  /** Calls back when nothing waits any more, at once when nothing does. */
  onceEmpty(listener: () => void): void {
    this.sendFresh();
    if (this.isBlocked) this.emptyListener = listener;
    else listener();
  }

  close(): void {
    this.isClosed = true;
    this.fresh = undefined;
    this.heldEntries.clear();
    this.heldEnds.clear();
  }

  private begin(frame: Frame): void {
    if (!this.takesEnded) {
      this.write({ $case: 'frame', value: frame });
      return;
    }
    this.fresh = frame;
    queueMicrotask(() => this.sendFresh());
  }

  private sendFresh(): void {
    const frame = this.fresh;
    if (frame === undefined) return;
    this.fresh = undefined;
    this.write({ $case: 'frame', value: frame });
  }

  private hold(entry: FrameEntry): void {
    const key = `${entry.generationId}/${entry.sequenceIndex}`;
    const held = this.heldEntries.get(key);
    this.heldEntries.set(key, held === undefined ? entry : mergedEntry(held, entry));
  }

  private flush(): void {
    if (this.heldEntries.size > 0) {
      const entries = [...this.heldEntries.values()];
      this.heldEntries.clear();
      this.write({ $case: 'frame', value: { step: this.heldStep, entries, ended: [] } });
    }
    for (const [generationId, end] of this.heldEnds) {
      if (this.isBlocked) return;
      this.heldEnds.delete(generationId);
      this.write(end);
    }
  }

  private write(message: NonNullable<SessionResponse['message']>): void {
    if (this.writer.write({ message })) return;
    this.isBlocked = true;
    this.writer.once('drain', () => {
      this.isBlocked = false;
      if (this.isClosed) return;
      this.flush();
      if (!this.isBlocked) this.emptyListener?.();
    });
  }
}
