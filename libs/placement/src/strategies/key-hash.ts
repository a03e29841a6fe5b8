/** Mixes 32 bits so that each input bit moves half of the output's (the finalizer of MurmurHash3, public domain). */
export function mixed32(value: number): number {
  let mixed = value | 0;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

/** How a key ranks a worker (rendezvous hashing): in (0, 1], larger is better, and each key has an order of its own. */
export function rendezvousRank(key: number, workerId: string): number {
  return (mixed32(key ^ textHash(workerId)) + 1) / 2 ** 32;
}

/** A 32-bit hash of text (FNV-1a over UTF-16 units, mixed). For spreading load, not for security. */
export function textHash(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return mixed32(hash);
}
