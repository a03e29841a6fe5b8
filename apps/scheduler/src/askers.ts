import { type Exemplar, NO_EXEMPLAR } from '#lib/observability';
import type { PlacementAnswer } from '#lib/placement';

/** The answer to whoever asked: a decision, under the term of this scheduler's reign, or who decides instead; empty: any other. */
export type DeskAnswer =
  | (PlacementAnswer & { readonly term: number })
  | { readonly kind: 'redirected'; readonly target: string };

interface Asker {
  readonly answer: (answer: DeskAnswer) => void;
  readonly exemplar: Exemplar;
}

/** Who waits for an answer, by the tickets of the queue, which bounds them. Each is answered once or leaves. */
export class Askers {
  private readonly waiting = new Map<number, Asker>();

  /**
   * @param exemplar  for what is measured of the call
   * @returns never settles for who leaves
   */
  ask(ticketId: number, exemplar: Exemplar): Promise<DeskAnswer> {
    return new Promise((resolve) => this.waiting.set(ticketId, { answer: resolve, exemplar }));
  }

  exemplarOf(ticketId: number): Exemplar {
    return this.waiting.get(ticketId)?.exemplar ?? NO_EXEMPLAR;
  }

  /** Nothing for who has left. */
  answer(ticketId: number, answer: DeskAnswer): void {
    this.waiting.get(ticketId)?.answer(answer);
    this.waiting.delete(ticketId);
  }

  /** @returns false for who has an answer */
  leave(ticketId: number): boolean {
    return this.waiting.delete(ticketId);
  }
}
