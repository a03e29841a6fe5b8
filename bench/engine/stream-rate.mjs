import { quantile } from './statistics.mjs';

/**
 * Tokens per second while all streams run: from the moment the last of them has its `skip`-th token until the last token of
 * all. Counts only what arrives in that time, so a stream that was ahead or ends early makes it slower, never faster.
 * @param {readonly (readonly number[])[]} arrivals  of each stream's tokens, in milliseconds, ascending
 * @param {number} skip  tokens of each stream that warm up; at least 1
 */
export function jointRate(arrivals, skip) {
  const startMs = Math.max(...arrivals.map((stream) => stream[skip - 1]));
  const endMs = Math.max(...arrivals.map((stream) => stream.at(-1)));
  const tokens = arrivals.reduce((sum, stream) => sum + stream.filter((at) => at > startMs).length, 0);
  return tokens / ((endMs - startMs) / 1000);
}

/** Gaps between tokens of a stream, over all streams, after each one's first `skip` tokens. */
export function interTokenLatency(arrivals, skip) {
  const gapsMs = arrivals.flatMap((stream) => stream.slice(skip).map((at, i) => at - stream[skip + i - 1]));
  return {
    p50Ms: quantile(gapsMs, 0.5),
    p99Ms: quantile(gapsMs, 0.99),
    maxMs: quantile(gapsMs, 1),
    count: gapsMs.length,
  };
}
