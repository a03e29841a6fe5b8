import { hash } from 'node:crypto';
import { LRUCache } from 'lru-cache';

const SALT_BYTES = 32;
/** Tenants whose own salt is kept hashed. */
const MAX_TENANTS = 1_000;

const own = new LRUCache<string, Buffer>({ max: MAX_TENANTS });

/**
 * What keeps the computed prefixes of a request apart from those of others: the random salt of its tenant, and the salt
 * that the request asks for. No tenant can name a salt that is another's, since both are hashed with their borders.
 * @returns 32 bytes, the same object for all requests that ask for none of their own; not to be written to
 */
export function cacheSaltOf(tenantSalt: string, requestSalt: string | undefined): Buffer {
  if (requestSalt !== undefined) return hashed([tenantSalt, requestSalt]);
  let salt = own.get(tenantSalt);
  if (salt === undefined) {
    salt = hashed([tenantSalt, null]);
    own.set(tenantSalt, salt);
  }
  return salt;
}

function hashed(salts: readonly [string, string | null]): Buffer {
  return hash('sha256', JSON.stringify(salts), 'buffer').subarray(0, SALT_BYTES);
}
