import { expect, it } from 'vitest';
import { requestIdFrom } from './request-id.js';

const KEY = `hydra_a1B2-3c4D5e6_${'s3cr-t_X'.repeat(6).slice(0, 43)}`;

it('given a key as the id of a request, then it gets another one', () => {
  expect(requestIdFrom(KEY)).toMatch(/^[0-9a-f]{32}$/);
  expect(requestIdFrom('mine-1')).toBe('mine-1');
});
