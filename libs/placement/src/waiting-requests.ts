import { DueTimes } from './due-times.js';
import type { WaitingRequest } from './model-queue.js';

/** All that wait, for whatever model: by ticket, by generation, and by when their wait ends. */
export class WaitingRequests {
  private readonly byTicket = new Map<number, WaitingRequest>();
  private readonly byGeneration = new Map<string, WaitingRequest>();
  /** By ticket: it keeps keys for a while after they are gone, and requests are large. */
  private readonly due = new DueTimes<number>();

  get size(): number {
    return this.byTicket.size;
  }

  /** @param entry  of a generation that does not wait */
  add(entry: WaitingRequest): void {
    this.byTicket.set(entry.ticketId, entry);
    this.byGeneration.set(entry.request.generationId, entry);
    this.due.set(entry.ticketId, entry.dueMs);
  }

  delete(entry: WaitingRequest): void {
    this.byTicket.delete(entry.ticketId);
    this.byGeneration.delete(entry.request.generationId);
    this.due.delete(entry.ticketId);
  }

  all(): WaitingRequest[] {
    return [...this.byTicket.values()];
  }

  withTicket(ticketId: number): WaitingRequest | undefined {
    return this.byTicket.get(ticketId);
  }

  ofGeneration(generationId: string): WaitingRequest | undefined {
    return this.byGeneration.get(generationId);
  }

  /** When the next wait ends; undefined when nobody waits. */
  nextDueMs(): number | undefined {
    return this.due.nextDueMs();
  }

  /** Takes out one whose wait is over; undefined when there is none. */
  takeDue(nowMs: number): WaitingRequest | undefined {
    const ticketId = this.due.takeDue(nowMs);
    const entry = ticketId === undefined ? undefined : this.byTicket.get(ticketId);
    if (entry !== undefined) this.delete(entry);
    return entry;
  }
}
