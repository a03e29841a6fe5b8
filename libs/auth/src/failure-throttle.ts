import { isIPv6 } from 'node:net';
import { LRUCache } from 'lru-cache';

export interface FailureThrottleOptions {
  /** Failures that cost an address nothing. */
  readonly freeFailures: number;
  /** Milliseconds of a steady clock. */
  readonly now?: () => number;
}

interface Record {
  failures: number;
  blockedUntilMs: number;
}

/** Chosen: from the first failure too many, 1, 2, 4 … 60 s. A person who mistypes is back at once, a guesser gets 1,440 a day. */
const FIRST_BLOCK_MS = 1_000;
const LONGEST_BLOCK_MS = 60_000;
/** An address without a failure for this long begins anew. */
const FORGOTTEN_AFTER_MS = 15 * 60_000;
const MAX_ADDRESSES = 10_000;

/** Slows those who guess credentials, by address: IPv4 addresses, and IPv6 networks of 64 bits, which one host may have alone. */
export class FailureThrottle {
  private readonly records: LRUCache<string, Record>;
  private readonly now: () => number;

  constructor(private readonly options: FailureThrottleOptions) {
    this.now = options.now ?? (() => performance.now());
    this.records = new LRUCache({
      max: MAX_ADDRESSES,
      ttl: FORGOTTEN_AFTER_MS,
      ttlResolution: 0,
      perf: { now: this.now },
    });
  }

  /** How long the address has to wait, in milliseconds; 0 for not at all. */
  blockedMs(address: string): number {
    const record = this.records.get(networkOf(address));
    return Math.max(0, (record?.blockedUntilMs ?? 0) - this.now());
  }

  failed(address: string): void {
    const network = networkOf(address);
    const failures = (this.records.get(network)?.failures ?? 0) + 1;
    const excess = failures - this.options.freeFailures;
    const blockMs = excess <= 0 ? 0 : Math.min(LONGEST_BLOCK_MS, FIRST_BLOCK_MS * 2 ** Math.min(excess - 1, 16));
    this.records.set(network, { failures, blockedUntilMs: this.now() + blockMs });
  }
}

function networkOf(address: string): string {
  if (!address.includes(':')) return address.slice(0, 64); // IPv4, as most are
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  const bare = address.split('%', 1)[0] as string; // without the zone; split gives at least one
  if (!isIPv6(bare)) return address.slice(0, 64);
  const [head = '', tail] = bare.toLowerCase().split('::', 2);
  const before = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? [] : Array<string>(Math.max(0, 8 - before.length - after.length)).fill('0');
  const groups = [...before, ...zeros, ...after].slice(0, 4);
  return groups.map((group) => Number.parseInt(group, 16).toString(16)).join(':');
}
