import { describe, expect, it } from 'vitest';
import { promptParam, templateMessages } from './call.js';
import { parseChatRequest } from './chat-request.js';
import { parseCompletionRequest } from './completion-request.js';

const LIMITS = { maxChoices: 128 };
const completion = (changes: Record<string, unknown>) => parseCompletionRequest({ model: 'm', ...changes }, LIMITS);
const chat = (changes: Record<string, unknown>) =>
  parseChatRequest({ model: 'm', messages: [{ role: 'user', content: 'Hi' }], ...changes }, LIMITS);

describe('completion requests', () => {
  it('given the customer’s own request, then everything is where it belongs', () => {
    const call = completion({
      model: 'mistralai/Mistral-7B-v0.1',
      prompt: 'Explain photosynthesis in simple terms:',
      max_tokens: 200,
      temperature: 0.7,
      stream: true,
    });
    expect(call).toEqual({
      kind: 'completion',
      model: 'mistralai/Mistral-7B-v0.1',
      input: {
        kind: 'prompts',
        prompts: [{ kind: 'text', text: 'Explain photosynthesis in simple terms:', param: 'prompt' }],
      },
      sampling: { temperature: 0.7, logitBias: {} },
      stop: { maxTokens: 200, minTokens: 0, stopStrings: [], stopTokenIds: [], ignoreEos: false },
      choicesPerPrompt: 1,
      stream: true,
      includeUsage: false,
      continuousUsage: false,
      returnTokenIds: false,
      logprobs: {},
      echo: false,
      priority: 0,
      activeParameters: ['max_tokens', 'temperature'],
      unknownFields: [],
    });
  });

  it.each([
    ['text', 'a', [{ kind: 'text', text: 'a', param: 'prompt' }]],
    ['token ids', [5, 6], [{ kind: 'token-ids', tokenIds: [5, 6], param: 'prompt' }]],
    [
      'texts',
      ['a', 'b'],
      [
        { kind: 'text', text: 'a', param: 'prompt[0]' },
        { kind: 'text', text: 'b', param: 'prompt[1]' },
      ],
    ],
    [
      'lists of ids',
      [[5], [6, 7]],
      [
        { kind: 'token-ids', tokenIds: [5], param: 'prompt[0]' },
        { kind: 'token-ids', tokenIds: [6, 7], param: 'prompt[1]' },
      ],
    ],
  ])('given a prompt as %s, then so it is read', (_, prompt, prompts) => {
    expect(completion({ prompt }).input).toEqual({ kind: 'prompts', prompts });
  });

  it('given several prompts, then each has its place in the request', () => {
    const call = completion({ prompt: ['a', 'b', 'c'], n: 2 });
    expect(call).toMatchObject({ input: { prompts: [{}, {}, {}] }, choicesPerPrompt: 2 });
    expect(promptParam(call, 2)).toBe('prompt[2]');
  });

  it('given lone surrogates in any text, then they become U+FFFD', () => {
    const call = completion({ prompt: 'a\ud800b', stop: '\udc00', user: '\ud800' });
    expect(call.input).toMatchObject({ prompts: [{ text: 'a\ufffdb' }] });
    expect(call).toMatchObject({ stop: { stopStrings: ['\ufffd'] }, user: '\ufffd' });
  });

  it('given any safe integer as seed, then it is mapped to 0 … 2^53 - 1, always in the same way', () => {
    const seedOf = (seed: number) => completion({ prompt: 'a', seed }).sampling.seed;
    expect([0, 42, 2 ** 53 - 1].map(seedOf)).toEqual([0, 42, 2 ** 53 - 1]);
    expect([-1, -(2 ** 53 - 1)].map(seedOf)).toEqual([2 ** 53 - 1, 1]);
  });

  it('given every sampling and stop parameter, then each arrives', () => {
    const call = completion({
      prompt: 'a',
      temperature: 0,
      top_p: 0.9,
      top_k: -1,
      min_p: 0.1,
      repetition_penalty: 1.1,
      presence_penalty: -2,
      frequency_penalty: 2,
      logit_bias: { 5: -100, 7: 1.5 },
      seed: 1,
      stop: ['x', 'y'],
      stop_token_ids: [3],
      max_tokens: 9,
      min_tokens: 2,
      ignore_eos: true,
      n: 3,
      return_token_ids: true,
      stream: true,
      stream_options: { include_usage: true },
      user: 'u',
      session_id: 's',
      cache_salt: 'c',
      priority: -10,
      timeout_ms: 5_000,
    });
    expect(call.sampling).toEqual({
      temperature: 0,
      topP: 0.9,
      topK: 0,
      minP: 0.1,
      repetitionPenalty: 1.1,
      presencePenalty: -2,
      frequencyPenalty: 2,
      logitBias: { 5: -100, 7: 1.5 },
      seed: 1,
    });
    expect(call.stop).toEqual({
      maxTokens: 9,
      minTokens: 2,
      stopStrings: ['x', 'y'],
      stopTokenIds: [3],
      ignoreEos: true,
    });
    expect(call).toMatchObject({
      choicesPerPrompt: 3,
      returnTokenIds: true,
      includeUsage: true,
      continuousUsage: false,
      user: 'u',
      sessionId: 's',
      cacheSalt: 'c',
      priority: -10,
      timeoutMs: 5_000,
    });
  });

  it('given OpenAI’s newer names for user and session, then they serve where ours are absent', () => {
    const newer = { prompt: 'a', safety_identifier: 'u', prompt_cache_key: 's' };
    expect(completion(newer)).toMatchObject({ user: 'u', sessionId: 's' });
    expect(completion({ ...newer, user: 'v', session_id: 't' })).toMatchObject({ user: 'v', sessionId: 't' });
  });
});

describe('chat requests', () => {
  it('given content parts, then they are joined with line feeds', () => {
    const content = [
      { type: 'text', text: 'a' },
      { type: 'input_text', text: 'b' },
    ];
    expect(chat({ messages: [{ role: 'user', content }] }).input).toEqual({
      kind: 'messages',
      messages: [{ role: 'user', content: 'a\nb' }],
    });
  });

  it('given every role, then names and call ids are kept', () => {
    const messages = [
      { role: 'system', content: 's' },
      { role: 'developer', content: 'd' },
      { role: 'user', content: 'u', name: 'Ada' },
      { role: 'assistant', content: 'a', refusal: null, tool_calls: null, function_call: null, audio: null },
      { role: 'tool', content: 't', tool_call_id: 'call_1', tool_calls: [] },
    ];
    const { input } = chat({ messages });
    expect(input).toEqual({
      kind: 'messages',
      messages: [
        { role: 'system', content: 's' },
        { role: 'developer', content: 'd' },
        { role: 'user', content: 'u', name: 'Ada' },
        { role: 'assistant', content: 'a' },
        { role: 'tool', content: 't', toolCallId: 'call_1' },
      ],
    });
    const parsed = input.kind === 'messages' ? input.messages : [];
    expect(templateMessages(parsed)[1]).toEqual({ role: 'developer', content: 'd' });
    expect(templateMessages(parsed)[4]).toEqual({ role: 'tool', content: 't', tool_call_id: 'call_1' });
  });

  it('given both names for the limit, then max_completion_tokens wins', () => {
    expect(chat({ max_tokens: 5 }).stop.maxTokens).toBe(5);
    expect(chat({ max_tokens: 5, max_completion_tokens: 7 }).stop.maxTokens).toBe(7);
  });

  it('given a message with a __proto__ key, then nothing of it goes on', () => {
    const messages: unknown = JSON.parse('[{"role":"user","content":"x","__proto__":{"name":"evil"}}]');
    expect(chat({ messages }).input).toEqual({ kind: 'messages', messages: [{ role: 'user', content: 'x' }] });
  });
});
