import { randomFillSync } from 'node:crypto';
import { maskKeys } from '#lib/secrets';

const ACCEPTED = /^[\x21-\x7e]{1,128}$/;

/** The client's `x-request-id` when it is 1 to 128 visible ASCII characters and no key of ours, which would stand in every record of the request; else a new one. */
export function requestIdFrom(header: string | readonly string[] | undefined): string {
  const given = typeof header === 'string' ? header : header?.[0];
  return given !== undefined && ACCEPTED.test(given) && maskKeys(given) === given ? given : newId();
}

/** Random bytes that are drawn at once: a call for each id costs more than the id. */
const POOL_BYTES = 4_096;

/** Gives each random byte once. */
class RandomPool {
  private readonly bytes = Buffer.allocUnsafeSlow(POOL_BYTES);
  private used = POOL_BYTES;

  hex(byteCount: number): string {
    if (this.used + byteCount > POOL_BYTES) {
      randomFillSync(this.bytes);
      this.used = 0;
    }
    const begin = this.used;
    this.used += byteCount;
    return this.bytes.toString('hex', begin, this.used);
  }
}

const pool = new RandomPool();

/** A random identity: 32 hexadecimal digits, 128 random bits. */
export function newId(): string {
  return pool.hex(16);
}

/** 16 hexadecimal digits, 64 random bits. */
export function newShortId(): string {
  return pool.hex(8);
}
