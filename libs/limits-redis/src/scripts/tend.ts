import { SHARED } from './shared.js';

/**
 * Says that a gateway is alive, unless it was silent for too long, and charges what the dead hold.
 * ARGV: gateway (empty for one that holds nothing here), lease in ms. Returns {live reservations, entries in the outbox}.
 */
export const TEND = `${SHARED}
local gateway = ARGV[1]
if gateway ~= '' then
  local until_ms = redis.call('ZSCORE', leases, gateway)
  if until_ms and tonumber(until_ms) >= now_ms then redis.call('ZADD', leases, now_ms + tonumber(ARGV[2]), gateway) end
end
reap()
return { redis.call('HLEN', live), redis.call('XLEN', outbox) }
`;
