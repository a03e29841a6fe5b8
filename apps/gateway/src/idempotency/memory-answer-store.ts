import { LRUCache } from 'lru-cache';
import {
  type AnswerBounds,
  type AnswerId,
  AnswerStore,
  type ClaimedKey,
  ENTRY_BYTES,
  type KnownRequest,
} from './answer-store.js';

const MAX_ENTRIES = 100_000;

/** Answers of one gateway, of all tenants together; the least recently used go first. */
export class MemoryAnswerStore extends AnswerStore {
  private readonly answers: LRUCache<string, KnownRequest>;
  private readonly running = new Map<string, ClaimedKey>();

  constructor({ ttlMs, maxBytes }: AnswerBounds) {
    super();
    this.answers = new LRUCache({
      max: MAX_ENTRIES,
      maxSize: maxBytes,
      ttl: ttlMs,
      sizeCalculation: ({ body = '' }) => ENTRY_BYTES + 2 * body.length,
    });
  }

  async claim(claim: ClaimedKey): Promise<KnownRequest | undefined> {
    const name = nameOf(claim.id);
    const running = this.running.get(name);
    const known = running === undefined ? this.answers.get(name) : { fingerprint: running.fingerprint };
    if (known === undefined) this.running.set(name, claim);
    return known;
  }

  async renew(): Promise<void> {} // its requests live and die with this process

  async keep(claim: ClaimedKey, body: string): Promise<void> {
    this.answers.set(nameOf(claim.id), { fingerprint: claim.fingerprint, body });
    await this.free(claim);
  }

  async free({ id, claimId }: ClaimedKey): Promise<void> {
    if (this.running.get(nameOf(id))?.claimId === claimId) this.running.delete(nameOf(id));
  }
}

function nameOf({ tenantId, keyHash }: AnswerId): string {
  return `${keyHash} ${tenantId}`;
}
