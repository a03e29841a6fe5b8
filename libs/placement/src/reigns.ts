import { textHash } from './strategies/key-hash.js';

/** Schedulers that terms can tell apart. */
const MOST_SCHEDULERS = 64;

/**
 * Schedulers in the order in which they place a model: the first that lives does. Rendezvous hashing, so that one which comes or goes moves
 * its own models and no others.
 */
export function schedulersInOrder(modelId: string, targets: readonly string[]): string[] {
  if (targets.length === 1) return [...targets];
  const ranks = new Map(targets.map((target) => [target, textHash(`${modelId}\n${target}`)]));
  return [...targets].sort((a, b) => ranks.get(b)! - ranks.get(a)! || (a < b ? -1 : 1));
}

/**
 * Which models this scheduler places, and since when. Schedulers do not talk to each other: each knows from its workers' reports who else
 * lives, and which terms were given. A term is the time at which a reign began, above every term that is known, and names its
 * scheduler; workers honour no lease of an earlier term than they know of, so two that both believe they reign never share a worker.
 */
export class Reigns {
  private readonly terms = new Map<string, number>();
  private readonly latestTerms = new Map<string, number>();
  private living: ReadonlySet<string>;

  /** @param targets  of all schedulers, this one included */
  constructor(
    private readonly self: string,
    private readonly targets: readonly string[],
  ) {
    this.living = new Set([self]);
  }

  /** Where there is one scheduler it reigns for ever, without terms. */
  get isAlone(): boolean {
    return this.targets.length === 1;
  }

  /** @param living  targets of schedulers that workers are joined with */
  noteLiving(living: ReadonlySet<string>): void {
    this.living = living;
  }

  /** A worker knows of a term. */
  noteTerm(modelId: string, term: number): void {
    if (term > (this.latestTerms.get(modelId) ?? 0)) this.latestTerms.set(modelId, term);
  }

  /** The scheduler that places the model, as far as can be known here. */
  ownerOf(modelId: string): string {
    const owner = schedulersInOrder(modelId, this.targets).find(
      (target) => target === this.self || this.living.has(target),
    );
    return owner ?? this.self;
  }

  /** Terms of the models that it places. */
  get held(): ReadonlyMap<string, number> {
    return this.terms;
  }

  /**
   * Begins to reign over a model, or goes on.
   * @returns the term; `isNew` when workers are to be told
   */
  claim(modelId: string, nowUnixMs: number): { readonly term: number; readonly isNew: boolean } {
    if (this.isAlone) return { term: 0, isNew: false };
    const latest = this.latestTerms.get(modelId) ?? 0;
    const held = this.terms.get(modelId);
    if (held !== undefined && held >= latest) return { term: held, isNew: false };
    const round = Math.max(Math.floor(nowUnixMs), Math.floor(latest / MOST_SCHEDULERS) + 1);
    const term = round * MOST_SCHEDULERS + (this.targets.indexOf(this.self) % MOST_SCHEDULERS);
    this.terms.set(modelId, term);
    this.noteTerm(modelId, term);
    return { term, isNew: true };
  }

  /** Another one places the model from now on. */
  abdicate(modelId: string): void {
    this.terms.delete(modelId);
  }
}
