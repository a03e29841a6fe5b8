import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { post, startTestPlatform, type TestPlatform } from '../test-support/test-platform.js';

const TEMPLATE = `{% for message in messages %}
{%- if message.role == 'system' and not loop.first %}{{ raise_exception('The system message comes first, not "' ~ message.content ~ '".') }}{% endif %}
{%- if message.content == 'add' %}{{ 'a' + 1 }}{% endif %}
{%- if message.content == 'long' %}{{ 'x' * 99999999 }}{% endif %}
{%- if message.content == 'count' %}{{ range(99999999) }}{% endif %}
{{- message.content }}{% endfor %}`;

let platform: TestPlatform;
beforeAll(async () => {
  platform = await startTestPlatform({ chatTemplate: TEMPLATE });
  platform.worker.onSubmit = (generation) => void generation.runToEnd();
});
afterAll(() => platform.stop());

const chat = async (messages: readonly object[], extra: object = {}) => {
  const body = { model: 'default', messages, max_tokens: 2, ...extra };
  const response = await post(`${platform.url}/v1/chat/completions`, body);
  return { status: response.status, body: (await response.json()) as { error?: Record<string, unknown> } };
};
const user = (content: string) => ({ role: 'user', content });

describe('chats that a template refuses', () => {
  it.each([false, true])(
    'given a chat that it raises for, when asked with stream %s, then it is 400 with the words of the template',
    async (stream) => {
      const refused = await chat([user('hi'), { role: 'system', content: 'late' }], { stream });
      expect(refused).toEqual({
        status: 400,
        body: {
          error: {
            message: 'Invalid \'messages\': The system message comes first, not "late".',
            type: 'invalid_request_error',
            param: 'messages',
            code: 'invalid_value',
          },
        },
      });
    },
  );

  it('given a chat with which it does what Python raises at, then it is 400 with the reason, and other chats go well', async () => {
    const refused = await chat([user('add')]);
    expect(refused).toMatchObject({ status: 400, body: { error: { code: 'invalid_value', param: 'messages' } } });
    expect(refused.body.error?.['message']).toMatch(/^Invalid 'messages': The model's chat template failed: .*int/);
    expect((await chat([user('hi')])).status).toBe(200);
  });

  it('given a chat that makes it write without end, then it is 400; one that makes it count without end is a fault of the model', async () => {
    expect(await chat([user('long')])).toMatchObject({ status: 400, body: { error: { param: 'messages' } } });
    const faulty = await chat([user('count')]);
    expect(faulty).toMatchObject({ status: 500, body: { error: { type: 'server_error' } } });
    expect(faulty.body.error?.['message']).not.toContain('counts to');
  });
});
