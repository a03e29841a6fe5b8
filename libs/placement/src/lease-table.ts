/** Permission to run one generation on one worker, as the scheduler counts it. */
export interface Lease {
  readonly leaseId: string;
  readonly generationId: string;
  readonly modelId: string;
  readonly tenantId: string;
  readonly priority: number;
  readonly workerId: string;
  readonly workerEpoch: number;
  readonly attempt: number;
  readonly sequenceCount: number;
  readonly promptTokens: number;
  /** Tokens of KV it is expected to need. */
  readonly kvTokens: number;
  /** Prompt tokens that are expected to be cached when their turn comes. */
  readonly cachedTokens: number;
  /** Predicted time to first token, in milliseconds from the grant; undefined when the strategy predicts none. */
  readonly predictedTtftMs: number | undefined;
  /** What its tenant was charged, in prompt tokens. */
  readonly serviceTokens: number;
  /** Time from the grant to the first token by the forecast, in milliseconds, whatever the strategy. */
  readonly forecastTtftMs: number;
  readonly grantedAtMs: number;
  readonly expiresAtMs: number;
}

export type LeaseTerms = Omit<Lease, 'leaseId' | 'grantedAtMs' | 'expiresAtMs'>;

/** Sums over the live leases of a worker; the `granted…` and `released…` ones only ever grow. They change with the leases: copy what is to be kept. */
export interface LeaseLoad {
  readonly generations: number;
  readonly sequences: number;
  readonly promptTokens: number;
  readonly kvTokens: number;
  readonly grantedGenerations: number;
  readonly grantedPromptTokens: number;
  /** Those given back by whoever held them; not those that ended in another way. */
  readonly releasedGenerations: number;
}

type Changing<T> = { -readonly [Key in keyof T]: T[Key] };

class WorkerLeases {
  readonly leaseIds = new Set<string>();
  readonly load: Changing<LeaseLoad> = {
    generations: 0,
    sequences: 0,
    promptTokens: 0,
    kvTokens: 0,
    grantedGenerations: 0,
    grantedPromptTokens: 0,
    releasedGenerations: 0,
  };
  /** Leases whose generation was missing from the worker's last list. */
  missing: ReadonlySet<string> = new Set();
}

export interface LeaseTableOptions {
  /** Life of a lease from each renewal, in milliseconds. */
  readonly leaseTtlMs: number;
  /** Goes before every lease id, so that the ids of two lives of a scheduler differ. */
  readonly idPrefix: string;
}

/**
 * The live leases, and per worker what they add up to. All leases live equally long, so the table in order of renewal is
 * the table in order of expiry. At most one lease per generation. Its size is bounded by the workers' sequence limits.
 */
export class LeaseTable {
  /** In order of expiry. */
  private readonly leases = new Map<string, Lease>();
  private readonly leaseIdByGeneration = new Map<string, string>();
  private readonly workers = new Map<string, WorkerLeases>();
  private grantedCount = 0;
  private noteEnd: (lease: Lease) => void = () => {};

  constructor(private readonly options: LeaseTableOptions) {}

  /** @param listener  hears of every lease that ends, however it does */
  whenEnded(listener: (lease: Lease) => void): void {
    this.noteEnd = listener;
  }

  get size(): number {
    return this.leases.size;
  }

  get leaseTtlMs(): number {
    return this.options.leaseTtlMs;
  }

  /** @throws when the generation has a live lease: that one must be released first */
  grant(terms: LeaseTerms, nowMs: number): Lease {
    if (this.leaseIdByGeneration.has(terms.generationId)) {
      throw new Error(`generation ${terms.generationId} already has a lease`);
    }
    const leaseId = `${this.options.idPrefix}-${++this.grantedCount}`;
    const lease: Lease = { ...terms, leaseId, grantedAtMs: nowMs, expiresAtMs: nowMs + this.options.leaseTtlMs };
    this.leases.set(leaseId, lease);
    this.leaseIdByGeneration.set(lease.generationId, leaseId);
    const { leaseIds, load } = this.leasedOn(lease.workerId);
    leaseIds.add(leaseId);
    add(lease, 1, load);
    load.grantedGenerations++;
    load.grantedPromptTokens += lease.promptTokens;
    return lease;
  }

  /** Extends leases to a full life from now. @returns the ids that are not live */
  renew(leaseIds: readonly string[], nowMs: number): string[] {
    const unknown: string[] = [];
    for (const leaseId of leaseIds) {
      const lease = this.leases.get(leaseId);
      if (lease === undefined || lease.expiresAtMs <= nowMs) {
        unknown.push(leaseId);
        continue;
      }
      this.leases.delete(leaseId);
      this.leases.set(leaseId, { ...lease, expiresAtMs: nowMs + this.options.leaseTtlMs });
    }
    return unknown;
  }

  /** Its holder gives it back. @returns the lease that ended; undefined when it was not live */
  release(leaseId: string): Lease | undefined {
    const lease = this.leases.get(leaseId);
    if (lease === undefined) return undefined;
    this.end(lease);
    const worker = this.workers.get(lease.workerId);
    if (worker !== undefined) worker.load.releasedGenerations++;
    return lease;
  }

  /** Ends the leases whose time has come. */
  expire(nowMs: number): Lease[] {
    const ended: Lease[] = [];
    for (const lease of this.leases.values()) {
      if (lease.expiresAtMs > nowMs) break;
      ended.push(lease);
    }
    for (const lease of ended) this.end(lease);
    return ended;
  }

  /** All leases live longer by the time in which nobody could renew them. */
  excuse(awayMs: number): void {
    for (const [leaseId, lease] of this.leases) {
      this.leases.set(leaseId, { ...lease, expiresAtMs: lease.expiresAtMs + awayMs }); // keeps its place in the order
    }
  }

  /** Ends every lease of a worker that left, and forgets the worker. */
  endWorker(workerId: string): Lease[] {
    const ended = this.leasesOf(workerId);
    for (const lease of ended) this.end(lease);
    this.workers.delete(workerId);
    return ended;
  }

  /**
   * Compares a worker's leases with the generations it says it holds. A lease missing from two lists in a row, and old
   * enough that its generation must have arrived, has nothing behind it and ends.
   */
  reconcile(workerId: string, heldGenerationIds: ReadonlySet<string>, nowMs: number): Lease[] {
    const worker = this.workers.get(workerId);
    if (worker === undefined) return [];
    const missing = new Set<string>();
    const ended: Lease[] = [];
    for (const lease of this.leasesOf(workerId)) {
      // A third of its life: by then the gateway has sent the generation or renewed the lease once.
      if (heldGenerationIds.has(lease.generationId) || nowMs - lease.grantedAtMs < this.options.leaseTtlMs / 3)
        continue;
      if (worker.missing.has(lease.leaseId)) ended.push(lease);
      else missing.add(lease.leaseId);
    }
    for (const lease of ended) this.end(lease);
    worker.missing = missing;
    return ended;
  }

  leaseOf(leaseId: string): Lease | undefined {
    return this.leases.get(leaseId);
  }

  leaseOfGeneration(generationId: string): Lease | undefined {
    const leaseId = this.leaseIdByGeneration.get(generationId);
    return leaseId === undefined ? undefined : this.leases.get(leaseId);
  }

  leasesOf(workerId: string): Lease[] {
    const leaseIds = this.workers.get(workerId)?.leaseIds ?? [];
    return [...leaseIds].map((leaseId) => this.leases.get(leaseId)!); // a worker's ids are live ones
  }

  /**
   * Of a worker that `endWorker` will be called for.
   * @returns until then the same object: who asks often keeps it
   */
  loadOf(workerId: string): LeaseLoad {
    return this.leasedOn(workerId).load;
  }

  /** When the next lease ends unless renewed; undefined when there is none. */
  nextDueMs(): number | undefined {
    for (const lease of this.leases.values()) return lease.expiresAtMs;
    return undefined;
  }

  private leasedOn(workerId: string): WorkerLeases {
    const known = this.workers.get(workerId);
    if (known !== undefined) return known;
    const leased = new WorkerLeases();
    this.workers.set(workerId, leased);
    return leased;
  }

  private end(lease: Lease): void {
    const { leaseId } = lease;
    this.leases.delete(leaseId);
    this.leaseIdByGeneration.delete(lease.generationId);
    const worker = this.workers.get(lease.workerId);
    if (worker !== undefined) {
      worker.leaseIds.delete(leaseId);
      add(lease, -1, worker.load);
    }
    this.noteEnd(lease);
  }
}

function add(lease: Lease, sign: 1 | -1, load: Changing<LeaseLoad>): void {
  load.generations += sign;
  load.sequences += sign * lease.sequenceCount;
  load.promptTokens += sign * lease.promptTokens;
  load.kvTokens += sign * lease.kvTokens;
}
