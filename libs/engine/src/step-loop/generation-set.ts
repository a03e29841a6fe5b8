import type { Generation, Sequence } from './generation.js';
import { WaitingQueue } from './waiting-queue.js';

/** All generations of a loop, and who of them waits, is live, is cancelled or expires. */
export class GenerationSet {
  readonly waiting = new WaitingQueue();
  /** Sequences with a slot, in order of admission. */
  readonly live: Sequence[] = [];
  private readonly byId = new Map<string, Generation>();
  private readonly cancelledIds = new Set<string>();
  /** No generation expires before. */
  nextDeadlineMs = Infinity;

  get size(): number {
    return this.byId.size;
  }

  get(id: string): Generation | undefined {
    return this.byId.get(id);
  }

  all(): Generation[] {
    return [...this.byId.values()];
  }

  add(generation: Generation): void {
    this.byId.set(generation.id, generation);
    this.waiting.push(generation);
    const { deadlineUnixMs } = generation.request;
    if (deadlineUnixMs > 0) this.nextDeadlineMs = Math.min(this.nextDeadlineMs, deadlineUnixMs);
  }

  /** @returns false when it was not there any more */
  remove(generation: Generation): boolean {
    this.waiting.remove(generation);
    this.cancelledIds.delete(generation.id);
    return this.byId.delete(generation.id);
  }

  /** A sequence has its slot. */
  admit(sequence: Sequence): void {
    this.live.push(sequence);
    if (!sequence.generation.sequences.some(({ phase }) => phase === 'waiting'))
      this.waiting.remove(sequence.generation);
  }

  /** A sequence has no slot any more. */
  dismiss(sequence: Sequence): void {
    const at = this.live.indexOf(sequence);
    if (at >= 0) this.live.splice(at, 1);
  }

  /** @returns false when there is no such generation */
  cancel(id: string): boolean {
    if (!this.byId.has(id)) return false;
    this.cancelledIds.add(id);
    return true;
  }

  /** Those cancelled since the last call. */
  takeCancelled(): Generation[] {
    if (this.cancelledIds.size === 0) return [];
    const cancelled = [...this.cancelledIds].map((id) => this.byId.get(id)).filter((it) => it !== undefined);
    this.cancelledIds.clear();
    return cancelled;
  }

  /** Those whose deadline has passed. */
  expired(nowMs: number): Generation[] {
    if (nowMs < this.nextDeadlineMs) return [];
    const withDeadline = this.all().filter(({ request }) => request.deadlineUnixMs > 0);
    const expired = withDeadline.filter(({ request }) => request.deadlineUnixMs <= nowMs);
    const later = withDeadline.filter(({ request }) => request.deadlineUnixMs > nowMs);
    this.nextDeadlineMs = later.reduce((next, { request }) => Math.min(next, request.deadlineUnixMs), Infinity);
    return expired;
  }
}
