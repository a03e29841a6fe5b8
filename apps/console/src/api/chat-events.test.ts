import { describe, expect, it } from 'vitest';
import { chatEvents } from './chat-events.js';

const event = (value: unknown) => `data: ${JSON.stringify(value)}\n\n`;
const choice = (delta: object, rest: object = {}) => ({ choices: [{ index: 0, delta, finish_reason: null, ...rest }] });
const usage = { prompt_tokens: 3, completion_tokens: 2, prompt_tokens_details: { cached_tokens: 1 } };
const WHOLE = [
  event({ ...choice({ role: 'assistant', content: '' }), prompt_token_ids: [5, 6, 7] }),
  ': keep-alive\n\n',
  event(choice({ content: 'Grüße' }, { token_ids: [8] })),
  event(choice({ content: ' 🐍' }, { token_ids: [9, 10] })),
  event(choice({}, { finish_reason: 'stop', token_ids: [2] })),
  event({ choices: [], usage }),
  'data: [DONE]\n\n',
].join('');

async function read(pieces: readonly string[]) {
  const events = [];
  const source = (async function* () {
    yield* pieces;
  })();
  for await (const one of chatEvents(source)) events.push(one);
  return events;
}

describe('chatEvents', () => {
  const expected = [
    { kind: 'prompt', promptTokens: 3 },
    { kind: 'text', text: 'Grüße', tokens: 1 },
    { kind: 'text', text: ' 🐍', tokens: 2 },
    { kind: 'finish', reason: 'stop', tokens: 1 },
    { kind: 'usage', usage },
  ];

  it('given a stream in one piece, then its prompt, texts, finish and usage come in order', async () => {
    expect(await read([WHOLE])).toEqual(expected);
  });

  it('given the stream cut after every character, then it reads the same', async () => {
    expect(await read([...WHOLE])).toEqual(expected);
  });

  it('given an error event, then it is thrown with its code', async () => {
    const failure = event({ error: { message: 'The engine failed.', type: 'server_error', code: 'engine_error' } });
    await expect(read([failure])).rejects.toMatchObject({
      facts: { message: 'The engine failed.', code: 'engine_error' },
    });
  });

  it('given a stream that ends before its last event, then that is an error', async () => {
    await expect(read([event(choice({ content: 'a' }))])).rejects.toMatchObject({ facts: { code: 'network' } });
  });
});
