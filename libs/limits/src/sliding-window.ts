import type { LimitState } from './limits.js';

/** Slots of a window: what is used falls out of it in steps of a sixtieth. */
const SLOTS = 60;

/** A use of a window, to be given back as far as it was not needed. */
export interface WindowUse {
  /** Number of the slot it was counted in, since the beginning of time. */
  readonly slot: number;
  readonly amount: number;
}

/**
 * Counts what is used within a time that moves along, so that no more than a limit is let through in any `windowMs`. A use
 * counts for the whole slot it falls into, so up to a sixtieth of the window longer than exact.
 */
export class SlidingWindow {
  private readonly counts = new Float64Array(SLOTS + 1); // the slot of now, beside those of a whole window before
  private readonly slotMs: number;
  private newestSlot = 0;
  private sum = 0;

  constructor(windowMs: number) {
    this.slotMs = windowMs / SLOTS;
  }

  used(nowMs: number): number {
    this.advance(nowMs);
    return this.sum;
  }

  /** Counts it, whether or not there is room: see `retryAfterMs`. */
  use(amount: number, nowMs: number): WindowUse {
    this.advance(nowMs);
    this.add(this.newestSlot, amount);
    return { slot: this.newestSlot, amount };
  }

  /** Counts `actual` in the place of what was used; one that fell out of the window is not looked at. */
  settle({ slot, amount }: WindowUse, actual: number, nowMs: number): void {
    this.advance(nowMs);
    if (slot > this.newestSlot - this.counts.length) this.add(slot, actual - amount);
  }

  /** Time until there is room for `amount`; 0 for now, Infinity for never. */
  retryAfterMs(amount: number, limit: number, nowMs: number): number {
    this.advance(nowMs);
    let excess = this.sum + amount - limit;
    if (excess <= 0) return 0;
    if (amount > limit) return Infinity;
    for (let slot = this.newestSlot - SLOTS; slot <= this.newestSlot; slot++) {
      excess -= this.counts[this.indexOf(slot)] as number;
      if (excess <= 0) return (slot + SLOTS + 1) * this.slotMs - nowMs;
    }
    return SLOTS * this.slotMs;
  }

  state(limit: number, nowMs: number): LimitState {
    this.advance(nowMs);
    return { limit, remaining: Math.max(0, limit - this.sum), resetMs: this.resetMs(nowMs) };
  }

  private resetMs(nowMs: number): number {
    for (let slot = this.newestSlot; slot >= this.newestSlot - SLOTS; slot--) {
      if ((this.counts[this.indexOf(slot)] as number) > 0) return (slot + SLOTS + 1) * this.slotMs - nowMs;
    }
    return 0;
  }

  /** Forgets the slots that fell out. */
  private advance(nowMs: number): void {
    const slot = Math.floor(nowMs / this.slotMs);
    const passed = Math.min(slot - this.newestSlot, this.counts.length);
    for (let i = 1; i <= passed; i++) {
      const index = this.indexOf(slot - passed + i);
      this.sum -= this.counts[index] as number;
      this.counts[index] = 0;
    }
    if (slot > this.newestSlot) this.newestSlot = slot;
  }

  private add(slot: number, amount: number): void {
    this.counts[this.indexOf(slot)] = (this.counts[this.indexOf(slot)] as number) + amount;
    this.sum += amount;
  }

  private indexOf(slot: number): number {
    return ((slot % this.counts.length) + this.counts.length) % this.counts.length;
  }
}
