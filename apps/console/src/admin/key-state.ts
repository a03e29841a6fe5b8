import type { ApiKey } from '../api/resources.js';

export type KeyState = 'good' | 'revoked' | 'expired';

export function keyState({ revoked_at, expires_at }: ApiKey, nowS: number): KeyState {
  if (revoked_at !== null && revoked_at <= nowS) return 'revoked';
  return expires_at !== null && expires_at <= nowS ? 'expired' : 'good';
}

/** Good ones first, the newest of each kind on top. */
export function inOrder(keys: readonly ApiKey[], nowS: number): readonly ApiKey[] {
  const rank = (key: ApiKey) => (keyState(key, nowS) === 'good' ? 0 : 1);
  return keys.toSorted((a, b) => rank(a) - rank(b) || b.created_at - a.created_at);
}
