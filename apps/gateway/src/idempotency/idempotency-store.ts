import { createHash } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import type { HydraConfig } from '#lib/config';
import { APP_LOGGER, type Logger, newId } from '#lib/observability';
import { ApiError } from '#lib/openai';
import { GATEWAY_CONFIG } from '../gateway-config.js';
import { UsageRecorder } from '../usage/usage-recorder.js';
import { type AnswerStore, CLAIM_RENEWAL_MS, type ClaimedKey } from './answer-store.js';
import { MemoryAnswerStore } from './memory-answer-store.js';
import { RedisAnswerStore } from './redis-answer-store.js';
import { SharedAnswerStore } from './shared-answer-store.js';

/** Printable ASCII, as Stripe and the IETF's draft have it. */
const KEY = /^[\x21-\x7e]{1,255}$/;

/**
 * Whole answers by `Idempotency-Key`, for a while: the same request with the same key, of the same tenant, gets the same answer
 * and costs nothing. Gateways that count in one Redis share them.
 * @see https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
 */
@Injectable()
export class IdempotencyStore {
  private readonly answers: AnswerStore;

  constructor(
    @Inject(GATEWAY_CONFIG) { gateway }: HydraConfig,
    @Inject(APP_LOGGER) logger: Logger,
    { redis }: UsageRecorder,
  ) {
    const bounds = { ttlMs: gateway.idempotencyTtlMs, maxBytes: gateway.idempotencyBytes };
    const own = new MemoryAnswerStore(bounds);
    this.answers = redis === undefined ? own : new SharedAnswerStore(own, new RedisAnswerStore(redis, bounds), logger);
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
    const fingerprint = hash(...request);
    const claim = { id: { tenantId, keyHash: hash(tenantId, key) }, fingerprint, claimId: newId() };
    const known = await this.answers.claim(claim);
    if (known === undefined) return { body: await this.run(claim, work), isReplayed: false };
    if (known.fingerprint !== fingerprint) {
      throw new ApiError('idempotency_key_reused', "This 'Idempotency-Key' was used with another request.");
    }
    if (known.body === undefined) {
      throw new ApiError('idempotency_key_in_use', "A request with this 'Idempotency-Key' is still running.");
    }
    return { body: known.body, isReplayed: true };
  }

  private async run(claim: ClaimedKey, work: () => Promise<string>): Promise<string> {
    const timer = setInterval(() => void this.answers.renew(claim), CLAIM_RENEWAL_MS);
    try {
      const body = await work();
      await this.answers.keep(claim, body);
      return body;
    } catch (error) {
      await this.answers.free(claim);
      throw error;
    } finally {
      clearInterval(timer);
    }
  }
}

function hash(...parts: readonly (string | Uint8Array)[]): string {
  const sum = createHash('sha256');
  for (const part of parts) sum.update(`${part.length} `).update(part);
  return sum.digest('base64url');
}
