import { expect, it } from 'vitest';
import type { ApiKey } from '../api/resources.js';
import { inOrder, keyState } from './key-state.js';

const key = (id: string, rest: Partial<ApiKey> = {}): ApiKey => ({
  ...{ id, account: 'a', roles: [], scopes: [], created_at: 1, expires_at: null, revoked_at: null, last_used_at: null },
  ...rest,
});

it('given times, then a key is good until it expires or is revoked, also when that is yet to come', () => {
  expect(keyState(key('a'), 100)).toBe('good');
  expect(keyState(key('a', { expires_at: 101, revoked_at: 101 }), 100)).toBe('good');
  expect(keyState(key('a', { expires_at: 100 }), 100)).toBe('expired');
  expect(keyState(key('a', { expires_at: 50, revoked_at: 99 }), 100)).toBe('revoked');
});

it('given keys, then good ones come first, and newer before older', () => {
  const keys = [key('old'), key('dead', { created_at: 9, revoked_at: 9 }), key('new', { created_at: 5 })];
  expect(inOrder(keys, 100).map(({ id }) => id)).toEqual(['new', 'old', 'dead']);
});
