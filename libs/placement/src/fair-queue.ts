export interface QueueEntry {
  readonly ticketId: number;
  readonly tenantId: string;
  /** Larger goes first. */
  readonly priority: number;
  /** Tokens that it will take from a worker, as far as is known; above 0. */
  readonly serviceTokens: number;
}

/**
 * What became of an entry that was offered.
 * | outcome | means |
 * |---|---|
 * | taken | it leaves to be served |
 * | dropped | it leaves without being served |
 * | kept | it stays, and its tenant is passed over for the rest of the call |
 * | stop | it stays, and nothing more can leave now |
 */
export type OfferOutcome = 'taken' | 'dropped' | 'kept' | 'stop';

type Fifo<Entry> = Map<number, Entry>;

/** Idle tenants of a priority whose service is remembered; beyond, those with the least lead are forgotten. */
const MOST_IDLE_TENANTS = 4_096;

/** The tenants that wait with one priority, and how much each was served. */
interface PriorityClass<Entry> {
  readonly priority: number;
  /** Each tenant's entries in order of arrival. */
  readonly waiting: Map<string, Fifo<Entry>>;
  /** Tokens, by tenant: of those that wait, and of idle ones that were served more than `levelTokens`. */
  readonly servedTokens: Map<string, number>;
  /** What the least served of those that wait was served; only grows. */
  levelTokens: number;
}

/**
 * Who is next among those that wait: higher priority first; within a priority the tenant that was served the fewest tokens;
 * within a tenant, first come, first served. A tenant that was idle begins at the level of those that wait: nobody saves up.
 * While two tenants both wait with one priority, what they are served differs by no more than the largest entry and the
 * corrections that came meanwhile, however many requests one of them sends. Its bound is its owner's matter.
 *
 * @see Sheng et al. 2024, Fairness in Serving Large Language Models (OSDI 2024), the virtual token counter, arXiv:2401.00588
 */
export class FairQueue<Entry extends QueueEntry> {
  private readonly classes = new Map<number, PriorityClass<Entry>>();
  private entryCount = 0;

  get size(): number {
    return this.entryCount;
  }

  push(entry: Entry): void {
    const ofPriority = this.classOf(entry.priority);
    const { waiting, servedTokens, levelTokens } = ofPriority;
    const fifo = waiting.get(entry.tenantId);
    if (fifo === undefined) {
      waiting.set(entry.tenantId, new Map([[entry.ticketId, entry]]));
      servedTokens.set(entry.tenantId, Math.max(levelTokens, servedTokens.get(entry.tenantId) ?? 0));
      raiseLevel(ofPriority);
    } else {
      fifo.set(entry.ticketId, entry);
    }
    this.entryCount++;
  }

  /** It leaves without being served. @returns whether it was there */
  remove(entry: Entry): boolean {
    const ofPriority = this.classes.get(entry.priority);
    const fifo = ofPriority?.waiting.get(entry.tenantId);
    if (ofPriority === undefined || fifo === undefined || !fifo.delete(entry.ticketId)) return false;
    this.entryCount--;
    if (fifo.size === 0) {
      ofPriority.waiting.delete(entry.tenantId);
      raiseLevel(ofPriority);
    }
    return true;
  }

  /** Somebody was served without waiting, or otherwise than was thought; negative tokens are given back. */
  noteServed(tenantId: string, priority: number, tokens: number): void {
    const ofPriority = this.classOf(priority);
    const { servedTokens, levelTokens, waiting } = ofPriority;
    const served = servedTokens.get(tenantId) ?? levelTokens;
    servedTokens.set(tenantId, waiting.has(tenantId) ? served + tokens : Math.max(levelTokens, served + tokens));
    raiseLevel(ofPriority);
  }

  /** Offers entries in order of turn. What was `taken` counts as served to its tenant. */
  offer(visit: (entry: Entry) => OfferOutcome): void {
    for (const ofPriority of this.highestFirst()) {
      const keeping = new Set<string>();
      for (;;) {
        const tenantId = leastServed(ofPriority, keeping);
        if (tenantId === undefined) break;
        const head = ofPriority.waiting.get(tenantId)!.values().next().value!; // a tenant without entries is not in the map
        const outcome = visit(head);
        if (outcome === 'stop') return;
        if (outcome === 'kept') {
          keeping.add(tenantId);
          continue;
        }
        if (outcome === 'taken') {
          ofPriority.servedTokens.set(tenantId, ofPriority.servedTokens.get(tenantId)! + head.serviceTokens);
        }
        this.remove(head);
        raiseLevel(ofPriority);
      }
    }
  }

  /** How many entries would be offered before another one of the tenant. */
  countBefore(tenantId: string, priority: number): number {
    let count = 0;
    for (const ofPriority of this.classes.values()) {
      if (ofPriority.priority < priority) continue;
      if (ofPriority.priority > priority) {
        for (const fifo of ofPriority.waiting.values()) count += fifo.size;
      } else {
        count += countBeforeIn(ofPriority, tenantId);
      }
    }
    return count;
  }

  /** Whom to turn away when there are too many: the newest of the tenant with the most waiting, of the lowest priority. */
  mostExpendable(): Entry | undefined {
    const lowest = this.highestFirst().findLast(({ waiting }) => waiting.size > 0);
    let longest: Fifo<Entry> | undefined;
    for (const fifo of lowest?.waiting.values() ?? []) if (fifo.size >= (longest?.size ?? 0)) longest = fifo;
    return longest === undefined ? undefined : [...longest.values()].at(-1);
  }

  private highestFirst(): PriorityClass<Entry>[] {
    return [...this.classes.values()].sort((a, b) => b.priority - a.priority);
  }

  private classOf(priority: number): PriorityClass<Entry> {
    const known = this.classes.get(priority);
    if (known !== undefined) return known;
    const created = { priority, waiting: new Map(), servedTokens: new Map(), levelTokens: 0 };
    this.classes.set(priority, created);
    return created;
  }
}

/** Entries that come before a new one of the tenant, all of them of this priority. */
function countBeforeIn<Entry extends QueueEntry>(
  { waiting, servedTokens, levelTokens }: PriorityClass<Entry>,
  tenantId: string,
): number {
  const own = waiting.get(tenantId);
  const served = servedTokens.get(tenantId) ?? 0;
  let turnTokens = own === undefined ? Math.max(levelTokens, served) : served;
  for (const { serviceTokens } of own?.values() ?? []) turnTokens += serviceTokens;
  let count = own?.size ?? 0;
  for (const [otherId, fifo] of waiting) {
    if (otherId === tenantId) continue;
    let tokens = servedTokens.get(otherId)!; // those that wait have a count
    for (const { serviceTokens } of fifo.values()) {
      if (tokens > turnTokens) break;
      tokens += serviceTokens;
      count++;
    }
  }
  return count;
}

function leastServed<Entry>({ waiting, servedTokens }: PriorityClass<Entry>, except: ReadonlySet<string>) {
  let least: string | undefined;
  let leastTokens = Number.POSITIVE_INFINITY;
  for (const tenantId of waiting.keys()) {
    const tokens = servedTokens.get(tenantId)!; // those that wait have a count
    if (tokens >= leastTokens || except.has(tenantId)) continue;
    [least, leastTokens] = [tenantId, tokens];
  }
  return least;
}

/** The level follows those that wait; idle tenants at or below it have no lead that would have to be remembered. */
function raiseLevel<Entry>(ofPriority: PriorityClass<Entry>): void {
  const { waiting, servedTokens } = ofPriority;
  const least = leastServed(ofPriority, new Set());
  if (least !== undefined) ofPriority.levelTokens = Math.max(ofPriority.levelTokens, servedTokens.get(least)!);
  if (waiting.size === 0) {
    // Nobody is waited for: the one that was served most is the level, and nobody has a lead.
    for (const tokens of servedTokens.values()) ofPriority.levelTokens = Math.max(ofPriority.levelTokens, tokens);
    servedTokens.clear();
    return;
  }
  if (servedTokens.size <= waiting.size + MOST_IDLE_TENANTS) return;
  const idle = [...servedTokens].filter(([tenantId]) => !waiting.has(tenantId)).sort(([, a], [, b]) => a - b);
  for (const [tenantId] of idle.slice(0, Math.ceil(MOST_IDLE_TENANTS / 2))) servedTokens.delete(tenantId);
}
