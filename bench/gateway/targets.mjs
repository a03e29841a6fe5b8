/**
 * What the gateway must reach, the row in words, its unit, and what it could reach: a Rust router that does none of
 * authentication, limits and placement. `measured` names what a case reports.
 */
export const ROWS = {
  'plain.64': { row: 'CPU s per 1,000 plain requests, c = 64', atMost: 0.28, stretch: 0.13, digits: 3 },
  'paced.64': { row: 'CPU s per 1 M paced SSE events (10 ms), c = 64', atMost: 45, stretch: 37, digits: 1 },
  'paced.256': { row: 'CPU s per 1 M paced SSE events (10 ms), c = 256', atMost: 35, stretch: 29, digits: 1 },
  'flood.64': { row: 'CPU s per 1 M flooded events, c = 64', atMost: 15, stretch: 10, digits: 1 },
  'ttft-p50.64': { row: 'added TTFT p50 at c = 64, ms', atMost: 5, stretch: 3, digits: 1 },
  'ttft-p99.64': { row: 'added TTFT p99 at c = 64, ms', atMost: 15, stretch: 10, digits: 1 },
  'slow-reader': { row: 'slow readers against fast workers, 60 s: RSS they add, MiB', atMost: 8, digits: 1 },
  'client-gone': { row: 'client gone during prefill: engine told within, ms', atMost: 50, digits: 1 },
  'idle-streams': { row: '10,000 open idle streams: RSS, MB; still answers', atMost: 1_000, digits: 0 },
  'long-prompt': { row: '8,000-token prompt: event loop held, ms', atMost: 5, digits: 1 },
  'two-gateways': { row: 'two gateway processes: CPU s per 1,000, × one', atMost: 1.1, digits: 2 },
};

/** Cases that can be chosen; one may fill several rows. */
export const CASE_NAMES = [
  ...['plain', 'paced', 'paced-many', 'flood', 'slow-reader', 'client-gone', 'idle-streams', 'long-prompt'],
  ...['two-gateways', 'nginx', 'vllm-router'],
];
