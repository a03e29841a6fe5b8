import { NOW } from './now.js';

/**
 * What the scripts of the limit book share. All keys of a tenant have its id as their hash tag, so that they lie on one node of
 * a cluster. Time is Redis' own. Money is billionths of a currency unit in whole numbers below 2^53, which Lua's doubles hold.
 *
 * | key | holds |
 * |---|---|
 * | live | hash, by id of the reservation: JSON of what it holds |
 * | leases | sorted set of gateways by the time until which they count as alive, in milliseconds |
 * | counts | hash, by subject: what is counted, packed; under the empty name, which life of these keys it is |
 * | outbox | stream of entries for the ledger |
 *
 * A reservation: g gateway; s subjects; p prompt tokens; c output tokens covered; pi, pc, po prices of input, cached input and
 * output; ws, wt second and amount in the windows of tokens; d, m what of it was taken in which day and month (n number; b 1 with
 * the prompt; t output tokens); e its origin, for the ledger.
 *
 * Counts: r running; w tokens by second; d, m of day and month (n number; st, sn settled tokens and money; rt, rn reserved).
 */
export const SHARED = `
local live, leases, counts, outbox = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
${NOW}local second = math.floor(now_ms / 1000)
local WINDOW_SECONDS = 60
local COUNTS_LIVE_MS = 40 * 86400000

-- Months since the year 0; http://howardhinnant.github.io/date_algorithms.html#civil_from_days
local function month_of(day)
  local z = day + 719468
  local era = math.floor(z / 146097)
  local of_era = z - era * 146097
  local year = math.floor((of_era - math.floor(of_era / 1460) + math.floor(of_era / 36524) - math.floor(of_era / 146096)) / 365)
  local of_year = of_era - (365 * year + math.floor(year / 4) - math.floor(year / 100))
  local from_march = math.floor((5 * of_year + 2) / 153)
  return (year + era * 400) * 12 + from_march + 2
end
local today = math.floor(now_ms / 86400000)
local present = { d = today, m = month_of(today) }

local function load_counts(subject)
  local packed = redis.call('HGET', counts, subject)
  local state = packed and cmsgpack.unpack(packed) or { r = 0, w = {} }
  local is_known = packed ~= false
  for period, number in pairs(present) do
    if state[period] == nil or state[period].n ~= number then
      state[period] = { n = number, st = 0, rt = 0, sn = 0, rn = 0 }
    end
  end
  local kept = {}
  for slot, amount in pairs(state.w) do
    if slot >= second - WINDOW_SECONDS then kept[slot] = amount end
  end
  state.w = kept
  return state, is_known
end

-- Which life of the tenant's keys it is: what was reserved in another one was forgotten, by a Redis that began empty.
local function life_of(name)
  redis.call('HSETNX', counts, '', name)
  redis.call('PEXPIRE', counts, COUNTS_LIVE_MS)
  return redis.call('HGET', counts, '')
end

local function save_counts(subject, state)
  redis.call('HSET', counts, subject, cmsgpack.pack(state))
end

local function used_in_window(state)
  local used = 0
  for _, amount in pairs(state.w) do used = used + amount end
  return used
end

-- What a reservation took in a period: tokens, money.
local function share_of(held, period)
  local share = held[period]
  return share.b * held.p + share.t, share.b * held.p * held.pi + share.t * held.po
end

local function tell(id, about, prompt, cached, completion, cost, outcome)
  redis.call('XADD', outbox, '*', 'id', id, 'about', about, 'prompt', prompt, 'cached', cached, 'completion', completion,
    'nanos', string.format('%.0f', cost), 'outcome', outcome, 'at', string.format('%.0f', now_ms))
end

-- Turns what a reservation held into what was used, and tells the ledger.
local function release(id, held, prompt, cached, completion, outcome)
  local spent = prompt + completion
  local cost = (prompt - cached) * held.pi + cached * held.pc + completion * held.po
  local unused = held.p + held.c - spent
  local unspent = held.p * held.pi + held.c * held.po - cost
  for _, subject in ipairs(held.s) do
    local state = load_counts(subject)
    state.r = state.r - 1
    if held.ws >= second - WINDOW_SECONDS then state.w[held.ws] = (state.w[held.ws] or 0) + spent - held.wt end
    for period in pairs(present) do
      local count = state[period]
      if held[period].n == count.n then
        local tokens, nanos = share_of(held, period)
        count.rt = count.rt - tokens
        count.st = count.st + tokens - math.min(unused, tokens)
        count.rn = count.rn - nanos
        count.sn = count.sn + nanos - math.min(unspent, nanos)
      end
    end
    save_counts(subject, state)
  end
  redis.call('HDEL', live, id)
  tell(id, held.e, prompt, cached, completion, cost, outcome)
end

-- Charges all that is held by gateways that were not heard of for too long.
local function reap()
  local dead = redis.call('ZRANGEBYSCORE', leases, '-inf', '(' .. string.format('%.0f', now_ms))
  if #dead == 0 then return end
  local is_dead = {}
  for _, gateway in ipairs(dead) do is_dead[gateway] = true end
  local all = redis.call('HGETALL', live)
  for i = 1, #all, 2 do
    local held = cjson.decode(all[i + 1])
    if is_dead[held.g] then release(all[i], held, held.p, 0, held.c, 'gateway-lost') end
  end
  for _, gateway in ipairs(dead) do redis.call('ZREM', leases, gateway) end
end

-- Subjects come as their id and six limits each, -1 for none: tokens by the minute, requests at once, tokens by day and by month,
-- money by day and by month.
local FIGURES = 7
local BOUNDS = {
  { 3, 'd', 'st', 'rt' }, { 4, 'm', 'st', 'rt' }, { 5, 'd', 'sn', 'rn' }, { 6, 'm', 'sn', 'rn' },
}

-- Returns them, and the places of those that nothing was counted for yet.
local function subjects_from(first)
  local subjects, unknown = {}, {}
  for at = first, #ARGV, FIGURES do
    local limits = {}
    for i = 1, FIGURES - 1 do limits[i] = tonumber(ARGV[at + i]) end
    local state, is_known = load_counts(ARGV[at])
    subjects[#subjects + 1] = { id = ARGV[at], limits = limits, state = state }
    if not is_known then unknown[#unknown + 1] = #subjects end
  end
  return subjects, unknown
end

local NEVER, WITH_THE_PERIOD = -1, -2

-- The first limit that does not have so much left: { subject, which, limit, used, asked, time to come back }. What is held by
-- whoever asks (nil: nothing yet) is not waited for.
local function shortage(subjects, tokens, nanos, held)
  for index, subject in ipairs(subjects) do
    for _, bound in ipairs(BOUNDS) do
      local limit, count = subject.limits[bound[1]], subject.state[bound[2]]
      local asked = bound[1] < 5 and tokens or nanos
      local used = count[bound[3]] + count[bound[4]]
      if limit >= 0 and used + asked > limit then
        local own_tokens, own_nanos = 0, 0
        if held and held[bound[2]].n == count.n then own_tokens, own_nanos = share_of(held, bound[2]) end
        local lasting = count[bound[3]] + (bound[1] < 5 and own_tokens or own_nanos)
        local wait = asked > limit and NEVER or (lasting + asked <= limit and 1000 or WITH_THE_PERIOD)
        return { index, bound[1], limit, used, asked, wait }
      end
    end
  end
end

-- Most output tokens, up to most, that fit beside a prompt.
local function room(subjects, tokens, nanos, price, most)
  for _, subject in ipairs(subjects) do
    for _, bound in ipairs(BOUNDS) do
      local limit, count = subject.limits[bound[1]], subject.state[bound[2]]
      if limit >= 0 then
        local left = limit - count[bound[3]] - count[bound[4]]
        if bound[1] < 5 then most = math.min(most, left - tokens)
        elseif price > 0 then most = math.min(most, math.floor((left - nanos) / price)) end
      end
    end
  end
  return most
end

local function reserve(state, tokens, nanos)
  for period in pairs(present) do
    state[period].rt = state[period].rt + tokens
    state[period].rn = state[period].rn + nanos
  end
end
`;
