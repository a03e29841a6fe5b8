import { SHARED } from './shared.js';

/**
 * Covers more output tokens of a reservation.
 * ARGV: id, least and most output tokens from the beginning, subjects.
 * Returns {1, covered}, {0, shortage, now}, or {2} when nobody knows it (any more).
 */
export const EXTEND = `${SHARED}
local id, least, most = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
reap()
local packed = redis.call('HGET', live, id)
if not packed then return { 2 } end
local held = cjson.decode(packed)
if held.c >= most then return { 1, held.c } end
local subjects = subjects_from(4)
local needed = math.max(0, least - held.c)
local refused = shortage(subjects, needed, needed * held.po, held)
if refused then return { 0, refused, now_ms } end
local more = math.max(0, room(subjects, 0, 0, held.po, most - held.c))
for _, subject in ipairs(subjects) do
  reserve(subject.state, more, more * held.po)
  save_counts(subject.id, subject.state)
end
for period, number in pairs(present) do
  if held[period].n ~= number then held[period] = { n = number, b = 0, t = 0 } end
  held[period].t = held[period].t + more
end
held.c = held.c + more
redis.call('HSET', live, id, cjson.encode(held))
return { 1, held.c }
`;
