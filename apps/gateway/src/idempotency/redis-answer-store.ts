import { addScripts, runScript } from '#lib/limits-redis';
import type { RedisClient } from '#lib/redis';
import {
  type AnswerBounds,
  AnswerStore,
  CLAIM_RENEWAL_MS,
  type ClaimedKey,
  ENTRY_BYTES,
  type KnownRequest,
} from './answer-store.js';

/** A gateway that is not heard of for so long is dead, and the key of its request free. */
const CLAIM_MS = 3 * CLAIM_RENEWAL_MS;

/** KEYS: answer. ARGV: claim, its life in ms. Returns what was there. */
const CLAIM = `
local known = redis.call('GET', KEYS[1])
if not known then redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) end
return known
`;

/** KEYS: answer. ARGV: claim, its life in ms. */
const RENEW = `
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 0
`;

/** KEYS: answer. ARGV: claim. */
const FREE = `
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 0
`;

/**
 * Keeps an answer unless another one came first, and drops the oldest while the tenant has too many bytes of them. All live equally
 * long, so those that have expired stand at the head of the order, too.
 * KEYS: answer, order of the tenant's answers, their bytes. ARGV: claim, answer, its size, life in ms, most bytes.
 */
const KEEP = `
local answer, order, bytes = KEYS[1], KEYS[2], KEYS[3]
local size, most = tonumber(ARGV[3]), tonumber(ARGV[5])
local known = redis.call('GET', answer)
if known and known ~= ARGV[1] then return 0 end
if size > most then return redis.call('DEL', answer) end
redis.call('SET', answer, ARGV[2], 'PX', ARGV[4])
redis.call('RPUSH', order, size .. ' ' .. answer)
local held = redis.call('INCRBY', bytes, size)
while true do
  local oldest_size, oldest = string.match(redis.call('LINDEX', order, 0), '^(%d+) (.+)$')
  if held <= most and redis.call('EXISTS', oldest) == 1 then break end
  redis.call('DEL', oldest)
  redis.call('LPOP', order)
  held = redis.call('DECRBY', bytes, oldest_size)
end
redis.call('PEXPIRE', order, ARGV[4])
redis.call('PEXPIRE', bytes, ARGV[4])
return 1
`;

/** By name, with how many keys each has. */
const SCRIPTS = {
  hydraClaimAnswer: { lua: CLAIM, numberOfKeys: 1 },
  hydraRenewAnswer: { lua: RENEW, numberOfKeys: 1 },
  hydraFreeAnswer: { lua: FREE, numberOfKeys: 1 },
  hydraKeepAnswer: { lua: KEEP, numberOfKeys: 3 },
} as const;

/** Answers of all gateways; the bound of bytes is one for each tenant. */
export class RedisAnswerStore extends AnswerStore {
  constructor(
    private readonly client: RedisClient,
    private readonly bounds: AnswerBounds,
  ) {
    super();
    addScripts(client, SCRIPTS);
  }

  async claim(claim: ClaimedKey): Promise<KnownRequest | undefined> {
    const known = await this.run('hydraClaimAnswer', [keyOf(claim)], [markOf(claim), CLAIM_MS]);
    return known === null ? undefined : parse(String(known));
  }

  async renew(claim: ClaimedKey): Promise<void> {
    await this.run('hydraRenewAnswer', [keyOf(claim)], [markOf(claim), CLAIM_MS]);
  }

  async keep(claim: ClaimedKey, body: string): Promise<void> {
    const { ttlMs, maxBytes } = this.bounds;
    const { tenantId } = claim.id;
    const keys = [keyOf(claim), ...['order', 'bytes'].map((name) => `${folderOf(tenantId)}:${name}`)];
    const size = Buffer.byteLength(body) + ENTRY_BYTES;
    await this.run('hydraKeepAnswer', keys, [
      markOf(claim),
      `${ANSWERED} ${claim.fingerprint} ${body}`,
      size,
      ttlMs,
      maxBytes,
    ]);
  }

  async free(claim: ClaimedKey): Promise<void> {
    await this.run('hydraFreeAnswer', [keyOf(claim)], [markOf(claim)]);
  }

  private run(
    name: keyof typeof SCRIPTS,
    keys: readonly string[],
    values: readonly (string | number)[],
  ): Promise<unknown> {
    return runScript(this.client, name, keys, values);
  }
}

/** The tenant is the hash tag: all that is its lies on one node of a cluster. */
function folderOf(tenantId: string): string {
  return `hydra:idempotency:{${tenantId}}`;
}

function keyOf({ id: { tenantId, keyHash } }: ClaimedKey): string {
  return `${folderOf(tenantId)}:answer:${keyHash}`;
}

const ANSWERED = 'answered';

function markOf({ claimId, fingerprint }: ClaimedKey): string {
  return `running ${fingerprint} ${claimId}`;
}

/** What `markOf` wrote, or an answer: state, fingerprint and the rest. */
function parse(value: string): KnownRequest {
  const [state, fingerprint = ''] = value.split(' ', 2);
  if (state !== ANSWERED) return { fingerprint };
  return { fingerprint, body: value.slice(`${ANSWERED} ${fingerprint} `.length) };
}
