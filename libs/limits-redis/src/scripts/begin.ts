import { SHARED } from './shared.js';

/**
 * Reserves a prompt and the first slice of its answer.
 * ARGV: id, gateway, lease in ms, prompt tokens, most output tokens, least of them, wanted of them, prices of input, cached input and
 * output, origin, most entries in the outbox, 1 to be asked for what subjects have used that are not counted yet, subjects.
 * Returns {1, covered, state, life} or {0, shortage, state, now} or {2} for a full outbox or {3, now, places of the subjects to restore};
 * state: {limit, remaining, time to reset} of the tightest window of tokens.
 */
export const BEGIN = `${SHARED}
local id, gateway, lease_ms, about = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[11]
local prompt, most, least, wanted = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local input, cached_input, output = tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10])

reap()
if redis.call('XLEN', outbox) >= tonumber(ARGV[12]) then return { 2 } end
local subjects, unknown = subjects_from(14)
if ARGV[13] == '1' and #unknown > 0 then return { 3, now_ms, unknown } end

local function tightest()
  local best
  for _, subject in ipairs(subjects) do
    local limit = subject.limits[1]
    if limit >= 0 then
      local left = math.max(0, limit - used_in_window(subject.state))
      local newest = second - WINDOW_SECONDS - 1
      for slot, amount in pairs(subject.state.w) do
        if amount > 0 and slot > newest then newest = slot end
      end
      if best == nil or left < best[2] then
        best = { limit, left, math.max(0, (newest + WINDOW_SECONDS + 1) * 1000 - now_ms) }
      end
    end
  end
  return best or { -1, 0, 0 }
end

-- Time until so many tokens have fallen out of the window that there is room.
local function wait_for(state, asked, limit)
  if asked > limit then return NEVER end
  local slots = {}
  for slot in pairs(state.w) do slots[#slots + 1] = slot end
  table.sort(slots)
  local excess = used_in_window(state) + asked - limit
  for _, slot in ipairs(slots) do
    excess = excess - state.w[slot]
    if excess <= 0 then return (slot + WINDOW_SECONDS + 1) * 1000 - now_ms end
  end
  return WINDOW_SECONDS * 1000
end

local refused
for index, subject in ipairs(subjects) do
  local limits, state = subject.limits, subject.state
  if limits[2] >= 0 and state.r >= limits[2] then
    refused = { index, 2, limits[2], state.r, 1, 1000 }
  elseif limits[1] >= 0 and used_in_window(state) + prompt + most > limits[1] then
    refused = { index, 1, limits[1], used_in_window(state), prompt + most, wait_for(state, prompt + most, limits[1]) }
  else
    refused = shortage({ subject }, prompt + least, prompt * input + least * output)
    if refused then refused[1] = index end
  end
  if refused then return { 0, refused, tightest(), now_ms } end
end

local covered = room(subjects, prompt, prompt * input, output, wanted)
local names = {}
for index, subject in ipairs(subjects) do
  local state = subject.state
  names[index] = subject.id
  state.r = state.r + 1
  state.w[second] = (state.w[second] or 0) + prompt + most
  reserve(state, prompt + covered, prompt * input + covered * output)
  save_counts(subject.id, state)
end
redis.call('HSET', live, id, cjson.encode({
  g = gateway, s = names, p = prompt, c = covered, pi = input, pc = cached_input, po = output, ws = second, wt = prompt + most,
  d = { n = present.d, b = 1, t = covered }, m = { n = present.m, b = 1, t = covered }, e = about,
}))
redis.call('ZADD', leases, now_ms + lease_ms, gateway)
return { 1, covered, tightest(), life_of(id) }
`;
