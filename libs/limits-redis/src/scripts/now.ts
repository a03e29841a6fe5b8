/** `now_ms`: Redis' own time, in milliseconds since the Unix epoch; the same for all gateways. */
export const NOW = `
local time = redis.call('TIME')
local now_ms = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
`;
