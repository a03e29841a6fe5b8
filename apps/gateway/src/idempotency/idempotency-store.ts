import { createHash } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import type { HydraConfig } from '#lib/config';
import { ApiError } from '#lib/openai';
import { GATEWAY_CONFIG } from '../gateway-config.js';

interface Entry {
  /** Of the request: the same key with another one is a mistake of the client. */
  readonly fingerprint: string;
  /** The whole answer; absent while the first request runs. */
  readonly body?: string;
}

/** Printable ASCII, as Stripe and the IETF's draft have it. */
const KEY = /^[\x21-\x7e]{1,255}$/;
/** Beside the answer: hashes and bookkeeping. */
const ENTRY_BYTES = 512;
const MAX_ENTRIES = 100_000;

/**
 * Whole answers by `Idempotency-Key`, for a while: the same request with the same key, of the same tenant, gets the same answer
 * and costs nothing. In memory, within a bound of entries and of bytes; the least recently used go first.
 * @see https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
 */
@Injectable()
export class IdempotencyStore {
  private readonly entries: LRUCache<string, Entry>;
  private readonly running = new Map<string, Entry>();

  constructor(@Inject(GATEWAY_CONFIG) { gateway }: HydraConfig) {
    this.entries = new LRUCache({
      max: MAX_ENTRIES,
      maxSize: gateway.idempotencyBytes,
      ttl: gateway.idempotencyTtlMs,
      sizeCalculation: ({ body = '' }) => ENTRY_BYTES + 2 * body.length,
    });
  }

  /**
   * Runs `work` unless its answer is known.
   * @param request  what must be the same: route and body
   * @throws ApiError invalid_value, idempotency_key_reused, idempotency_key_in_use, and what `work` throws, which is not kept
   */
  async once(
    tenantId: string,
    key: string,
    request: readonly [route: string, body: Uint8Array],
    work: () => Promise<string>,
  ): Promise<{ readonly body: string; readonly isReplayed: boolean }> {
    if (!KEY.test(key)) {
      const message = "Invalid 'Idempotency-Key': expected 1 to 255 visible ASCII characters.";
      throw new ApiError('invalid_value', message, { param: 'Idempotency-Key' });
    }
    const id = hash(tenantId, key);
    const fingerprint = hash(...request);
    const known = this.running.get(id) ?? this.entries.get(id);
    if (known === undefined) return { body: await this.run(id, fingerprint, work), isReplayed: false };
    if (known.fingerprint !== fingerprint) {
      throw new ApiError('idempotency_key_reused', "This 'Idempotency-Key' was used with another request.");
    }
    if (known.body === undefined) {
      throw new ApiError('idempotency_key_in_use', "A request with this 'Idempotency-Key' is still running.");
    }
    return { body: known.body, isReplayed: true };
  }

  private async run(id: string, fingerprint: string, work: () => Promise<string>): Promise<string> {
    this.running.set(id, { fingerprint });
    try {
      const body = await work();
      this.entries.set(id, { fingerprint, body });
      return body;
    } finally {
      this.running.delete(id);
    }
  }
}

function hash(...parts: readonly (string | Uint8Array)[]): string {
  const sum = createHash('sha256');
  for (const part of parts) sum.update(`${part.length} `).update(part);
  return sum.digest('base64');
}
