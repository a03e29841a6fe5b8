import { NOW } from './now.js';

/**
 * Counts a request in a window that moves along in steps of a sixtieth, unless it is full.
 * KEYS: hash of counts by slot. ARGV: window in ms, limit. Returns {requests in it, time to reset, time to wait} in ms, 0 for now.
 */
export const COUNT_REQUEST = `
${NOW}local slot_ms, limit = tonumber(ARGV[1]) / 60, tonumber(ARGV[2])
local slot = math.floor(now_ms / slot_ms)
local all = redis.call('HGETALL', KEYS[1])
local used, slots, by_slot = 0, {}, {}
for i = 1, #all, 2 do
  local at, amount = tonumber(all[i]), tonumber(all[i + 1])
  if at < slot - 60 then redis.call('HDEL', KEYS[1], all[i])
  else
    used = used + amount
    slots[#slots + 1] = at
    by_slot[at] = amount
  end
end
table.sort(slots)
local function left_ms(of) return math.ceil((of + 61) * slot_ms - now_ms) end
if used + 1 > limit then
  local excess, wait = used + 1 - limit, math.ceil(60 * slot_ms)
  for _, at in ipairs(slots) do
    excess = excess - by_slot[at]
    if excess <= 0 then wait = left_ms(at) break end
  end
  return { used, #slots > 0 and left_ms(slots[#slots]) or 0, wait }
end
redis.call('HINCRBY', KEYS[1], slot, 1)
redis.call('PEXPIRE', KEYS[1], math.ceil(62 * slot_ms))
return { used + 1, left_ms(slot), 0 }
`;
