import { LRUCache } from 'lru-cache';

interface Kept<T> {
  readonly answer: Promise<T | undefined>;
  isFresh: boolean;
}

/** Answers of a slow source by id. One that is outdated is asked for again, and still tells that its id was known. */
export class KeptAnswers<T extends object> {
  private readonly kept: LRUCache<string, Kept<T>>;

  /** @param entries  most that are kept */
  constructor(entries: number) {
    this.kept = new LRUCache({ max: entries });
  }

  /** Whether it was asked for, and not deleted since. */
  has(id: string): boolean {
    return this.kept.has(id);
  }

  /** Loads once for all who ask at the same time; a failure is not kept. */
  get(id: string, load: () => Promise<T | undefined>): Promise<T | undefined> {
    const known = this.kept.get(id);
    if (known?.isFresh) return known.answer;
    const answer = load().catch((cause: unknown) => {
      if (this.kept.peek(id) === loading) {
        if (known === undefined) this.kept.delete(id);
        else loading.isFresh = false;
      }
      throw cause;
    });
    const loading: Kept<T> = { answer, isFresh: true };
    this.kept.set(id, loading);
    return answer;
  }

  /** @returns whether it was there */
  delete(id: string): boolean {
    return this.kept.delete(id);
  }

  /** All of them are asked for again. */
  outdate(): void {
    for (const kept of this.kept.values()) kept.isFresh = false;
  }
}
