import { pino } from 'pino';
import { expect, it } from 'vitest';
import { describeAnswerStore } from './answer-store.conformance.js';
import { AnswerStore } from './answer-store.js';
import { MemoryAnswerStore } from './memory-answer-store.js';
import { SharedAnswerStore } from './shared-answer-store.js';

const BOUNDS = { ttlMs: 60_000, maxBytes: 100_000 };
const silent = pino({ level: 'silent' });

/** Out of reach. */
class LostStore extends AnswerStore {
  private lost = () => Promise.reject(new Error('away'));
  override claim = this.lost;
  override renew = this.lost;
  override keep = this.lost;
  override free = this.lost;
}

describeAnswerStore(
  'of a gateway whose shared store is away',
  async (bounds) => new SharedAnswerStore(new MemoryAnswerStore(bounds), new LostStore(), silent),
);

it('given two gateways, then what one answered the other knows, and what one runs', async () => {
  const shared = new MemoryAnswerStore(BOUNDS);
  const [here, there] = [1, 2].map(() => new SharedAnswerStore(new MemoryAnswerStore(BOUNDS), shared, silent)) as [
    SharedAnswerStore,
    SharedAnswerStore,
  ];
  const claim = (claimId: string) => ({ id: { tenantId: 'acme', keyHash: 'key' }, fingerprint: 'request', claimId });
  expect(await here.claim(claim('a'))).toBeUndefined();
  expect(await there.claim(claim('b'))).toEqual({ fingerprint: 'request' });
  await here.keep(claim('a'), 'answer');
  expect(await there.claim(claim('c'))).toEqual({ fingerprint: 'request', body: 'answer' });
});
