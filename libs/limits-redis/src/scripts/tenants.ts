import { NOW } from './now.js';

/**
 * Keeps the tenants that somebody must look after, by the time they were last looked after.
 * KEYS: the sorted set. ARGV: time in ms after which others take one over, tenants that the caller looks after.
 * Returns those that nobody looks after.
 */
export const TENANTS = `
${NOW}for i = 2, #ARGV do redis.call('ZADD', KEYS[1], now_ms, ARGV[i]) end
return redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', '(' .. string.format('%.0f', now_ms - tonumber(ARGV[1])), 'LIMIT', 0, 1000)
`;

/** Drops a tenant that has nothing to look after, unless somebody began to. KEYS: the sorted set. ARGV: time in ms, tenant. */
export const FORGET = `
${NOW}local score = redis.call('ZSCORE', KEYS[1], ARGV[2])
if score and tonumber(score) < now_ms - tonumber(ARGV[1]) then redis.call('ZREM', KEYS[1], ARGV[2]) end
return 0
`;
