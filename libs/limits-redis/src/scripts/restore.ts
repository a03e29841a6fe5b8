import { SHARED } from './shared.js';

/**
 * Counts what subjects have used before Redis knew them, as the ledger says; those that are counted by now stay as they are.
 * ARGV: for each subject its name, number of the day, tokens and money of it, number of the month, tokens and money of it.
 */
export const RESTORE = `${SHARED}
for at = 1, #ARGV, 7 do
  local state, is_known = load_counts(ARGV[at])
  if not is_known then
    for index, period in ipairs({ 'd', 'm' }) do
      local from = at + index * 3 - 2
      if tonumber(ARGV[from]) == state[period].n then
        state[period].st, state[period].sn = tonumber(ARGV[from + 1]), tonumber(ARGV[from + 2])
      end
    end
    save_counts(ARGV[at], state)
  end
end
redis.call('PEXPIRE', counts, COUNTS_LIVE_MS)
return 1
`;
