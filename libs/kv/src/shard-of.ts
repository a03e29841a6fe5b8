import { hash } from 'node:crypto';

/**
 * Blocks of a chain that lie together: 1,024 tokens in blocks of 16. Chosen: a segment is a few calls of many megabytes, so that looking for
 * the next one elsewhere costs nothing beside them; and a prefix that a whole fleet shares, with all that follows it, is not one shard's alone.
 */
export const SEGMENT_BLOCKS = 64;

/**
 * Which of the shards has a segment: the largest hash of both wins (rendezvous hashing: Thaler and Ravishankar 1998). A shard that joins or leaves
 * moves 1/n of the segments and nothing else; the order of the shards does not count.
 * @param head  hash of the segment's first block
 * @throws RangeError without shards
 */
export function shardOf(shards: readonly string[], head: Uint8Array): string {
  let best: { readonly shard: string; readonly score: string } | undefined;
  for (const shard of shards) {
    const score = hash('sha256', Buffer.concat([head, Buffer.from(shard)]), 'hex');
    if (best === undefined || score > best.score) best = { shard, score };
  }
  if (best === undefined) throw new RangeError('there are no shards');
  return best.shard;
}
