import { hash } from 'node:crypto';

const SALT_BYTES = 32;

/**
 * What keeps the computed prefixes of a request apart from those of others: the random salt of its tenant, and the salt
 * that the request asks for. No tenant can name a salt that is another's, since both are hashed with their borders.
 * @returns 32 bytes
 */
export function cacheSaltOf(tenantSalt: string, requestSalt: string | undefined): Uint8Array {
  return hash('sha256', JSON.stringify([tenantSalt, requestSalt ?? null]), 'buffer').subarray(0, SALT_BYTES);
}
