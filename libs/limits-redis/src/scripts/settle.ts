import { SHARED } from './shared.js';

/**
 * Ends a reservation. One that Redis has forgotten because it began empty is charged all the same, to what is counted since: what is
 * not counted yet is restored from the ledger, which is told of it.
 * ARGV: id, prompt tokens, those of them that were cached, output tokens, outcome, life in which it was made (empty when that is not
 * known), prices of input, cached input and output, origin, names of its subjects.
 * Returns 1, 2 for one that was forgotten, or 0 when nobody knows it any more: it was charged as that of a dead gateway.
 */
export const SETTLE = `${SHARED}
local id, prompt, cached, completion, outcome = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5]
local packed = redis.call('HGET', live, id)
if packed then
  release(id, cjson.decode(packed), prompt, cached, completion, outcome)
  return 1
end
if ARGV[6] == '' or redis.call('HGET', counts, '') == ARGV[6] then return 0 end
local spent = prompt + completion
local cost = (prompt - cached) * tonumber(ARGV[7]) + cached * tonumber(ARGV[8]) + completion * tonumber(ARGV[9])
for at = 11, #ARGV do
  local state, is_known = load_counts(ARGV[at])
  if is_known then
    state.w[second] = (state.w[second] or 0) + spent
    for period in pairs(present) do
      state[period].st = state[period].st + spent
      state[period].sn = state[period].sn + cost
    end
    save_counts(ARGV[at], state)
  end
end
tell(id, ARGV[10], prompt, cached, completion, cost, outcome)
return 2
`;
