import { SHARED } from './shared.js';

/**
 * Ends a reservation.
 * ARGV: id, prompt tokens, those of them that were cached, output tokens, outcome. Returns 1, or 0 when nobody knows it (any more).
 */
export const SETTLE = `${SHARED}
local packed = redis.call('HGET', live, ARGV[1])
if not packed then return 0 end
release(ARGV[1], cjson.decode(packed), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5])
return 1
`;
