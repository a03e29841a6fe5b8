import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { type AnswerBounds, type AnswerStore, type ClaimedKey, ENTRY_BYTES } from './answer-store.js';

const PLENTY: AnswerBounds = { ttlMs: 60_000, maxBytes: 1_000_000 };

/** What every store of answers does. @param create  with the same bounds: one that sees what the ones before it have */
export function describeAnswerStore(name: string, create: (bounds: AnswerBounds) => Promise<AnswerStore>): void {
  describe(`answers ${name}`, () => {
    const claimOf = (wish: Partial<ClaimedKey['id']> = {}, fingerprint = 'request'): ClaimedKey => ({
      id: { tenantId: `tenant-${randomUUID()}`, keyHash: randomUUID(), ...wish },
      fingerprint,
      claimId: randomUUID(),
    });
    const again = ({ id, fingerprint }: ClaimedKey) => claimOf(id, fingerprint);

    it('given a request that runs, then its key is known; when it is answered, then so is the answer', async () => {
      const store = await create(PLENTY);
      const claim = claimOf();
      expect(await store.claim(claim)).toBeUndefined();
      expect(await store.claim(again(claim))).toEqual({ fingerprint: 'request' });
      await store.renew(claim);
      await store.keep(claim, 'an answer: \u{1f600} "\n');
      expect(await store.claim(again(claim))).toEqual({ fingerprint: 'request', body: 'an answer: \u{1f600} "\n' });
    });

    it('given many at once with one key, then one of them is the first', async () => {
      const store = await create(PLENTY);
      const claim = claimOf();
      const known = await Promise.all(Array.from({ length: 10 }, () => store.claim(again(claim))));
      expect(known.filter((one) => one === undefined)).toHaveLength(1);
    });

    it('given a request that failed, then its key is free, for others than it too', async () => {
      const store = await create(PLENTY);
      const claim = claimOf();
      await store.claim(claim);
      await store.free(again(claim)); // not by somebody else
      expect(await store.claim(again(claim))).toEqual({ fingerprint: 'request' });
      await store.free(claim);
      expect(await store.claim(again(claim))).toBeUndefined();
    });

    it('given another tenant with the same key, then nothing is known', async () => {
      const store = await create(PLENTY);
      const claim = claimOf();
      await store.claim(claim);
      await store.keep(claim, 'secret');
      expect(await store.claim(claimOf({ keyHash: claim.id.keyHash }))).toBeUndefined();
    });

    it('given more bytes than there may be, then the oldest are forgotten, and what is too large is not kept', async () => {
      const store = await create({ ttlMs: 60_000, maxBytes: 4 * ENTRY_BYTES });
      const { tenantId } = claimOf().id;
      const claims = Array.from({ length: 6 }, () => claimOf({ tenantId }));
      for (const claim of claims) {
        await store.claim(claim);
        await store.keep(claim, 'x');
      }
      const [oldest, newest] = [claims[0] as ClaimedKey, claims[5] as ClaimedKey];
      expect(await store.claim(again(newest))).toMatchObject({ body: 'x' });
      expect(await store.claim(again(oldest))).toBeUndefined();
      const large = claimOf({ tenantId });
      await store.claim(large);
      await store.keep(large, 'x'.repeat(4 * ENTRY_BYTES));
      expect(await store.claim(again(large))).toBeUndefined();
      expect(await store.claim(again(newest))).toMatchObject({ body: 'x' });
    });

    it('given an answer whose time is over, then its key is free', async () => {
      const store = await create({ ttlMs: 30, maxBytes: 1_000_000 });
      const claim = claimOf();
      await store.claim(claim);
      await store.keep(claim, 'x');
      await expect.poll(() => store.claim(again(claim)), { timeout: 10_000 }).toBeUndefined();
    });
  });
}
