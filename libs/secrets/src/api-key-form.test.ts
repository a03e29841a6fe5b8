import { describe, expect, it } from 'vitest';
import { API_KEY, maskKeys } from './api-key-form.js';

const ID = 'a1B2-3c4D5e6';
const KEY = `hydra_${ID}_${'s3cr-t_X'.repeat(6).slice(0, 43)}`;

describe('maskKeys', () => {
  it.each([KEY, `/v1/models/${KEY}?x=${KEY}`, `{"model":"${KEY}"}`, `${KEY}tail`, KEY.slice(0, 45)])(
    'given %s, then the secret goes and the public part stays',
    (text) => {
      expect(maskKeys(text)).not.toMatch(/s3cr/);
      expect(maskKeys(text)).toContain(`hydra_${ID}_***`);
    },
  );

  it.each(['hydra_gateway_limited_requests_total', 'hydra_scheduler_ttft_prediction_ratio', 'hydra_x', ''])(
    'given %j, which is no key, then it stays as it is',
    (text) => expect(maskKeys(text)).toBe(text),
  );

  it('given what is masked, then a key as a whole is, and has its id', () => {
    expect(API_KEY.exec(KEY)?.[1]).toBe(ID);
    for (const none of [KEY.slice(0, -1), `${KEY}x`, ` ${KEY}`, KEY.replace('hydra', 'other')])
      expect(API_KEY.test(none)).toBe(false);
  });
});
