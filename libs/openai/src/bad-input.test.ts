import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CallKind, CompletionCall } from './call.js';
import { chatRequestSchema, chatValidator, parseChatRequest } from './chat-request.js';
import { completionRequestSchema, completionValidator, parseCompletionRequest } from './completion-request.js';
import { ApiError } from './errors.js';
import { FEATURES } from './features.js';

const LIMITS = { maxChoices: 128 };
const GOOD = {
  completion: { model: 'm', prompt: 'Hello' },
  chat: { model: 'm', messages: [{ role: 'user', content: 'Hello' }] },
} as const;
const PARSE: Record<CallKind, (body: unknown) => CompletionCall> = {
  completion: (body) => parseCompletionRequest(body, LIMITS),
  chat: (body) => parseChatRequest(body, LIMITS),
};

function errorOf(kind: CallKind, changes: Record<string, unknown>): ApiError {
  try {
    PARSE[kind]({ ...GOOD[kind], ...changes });
  } catch (error) {
    if (error instanceof ApiError) return error;
    throw error;
  }
  throw new Error('it was accepted');
}

const INFINITE: number = JSON.parse('1e400');
const user = (content: unknown, more = {}) => ({ messages: [{ role: 'user', content, ...more }] });

type BadInput = readonly [changes: Record<string, unknown>, condition: string, param: string];

/** Rows with a title in front, because some inputs are huge. */
function titled(rows: readonly BadInput[]): [string, string, string, Record<string, unknown>][] {
  return rows.map(([changes, condition, param]) => [JSON.stringify(changes).slice(0, 80), condition, param, changes]);
}

describe('bad parameters of either route', () => {
  it.each(
    titled([
      [{ model: undefined }, 'missing_required_parameter', 'model'],
      [{ model: null }, 'missing_required_parameter', 'model'],
      [{ model: '' }, 'invalid_value', 'model'],
      [{ model: 7 }, 'invalid_type', 'model'],
      [{ model: 'x'.repeat(100_000) }, 'invalid_value', 'model'],
      [{ temperature: -0.1 }, 'invalid_value', 'temperature'],
      [{ temperature: 2.1 }, 'invalid_value', 'temperature'],
      [{ temperature: INFINITE }, 'invalid_type', 'temperature'],
      [{ temperature: '1' }, 'invalid_type', 'temperature'],
      [{ temperature: [1] }, 'invalid_type', 'temperature'],
      [{ top_p: 0 }, 'invalid_value', 'top_p'],
      [{ top_p: 1.01 }, 'invalid_value', 'top_p'],
      [{ top_k: -2 }, 'invalid_value', 'top_k'],
      [{ top_k: 1.5 }, 'invalid_type', 'top_k'],
      [{ min_p: 2 }, 'invalid_value', 'min_p'],
      [{ repetition_penalty: 0 }, 'invalid_value', 'repetition_penalty'],
      [{ presence_penalty: 3 }, 'invalid_value', 'presence_penalty'],
      [{ frequency_penalty: -3 }, 'invalid_value', 'frequency_penalty'],
      [{ max_tokens: 0 }, 'invalid_value', 'max_tokens'],
      [{ max_tokens: -1 }, 'invalid_value', 'max_tokens'],
      [{ max_tokens: 1.5 }, 'invalid_type', 'max_tokens'],
      [{ max_tokens: 1e300 }, 'invalid_value', 'max_tokens'],
      [{ max_tokens: -INFINITE }, 'invalid_type', 'max_tokens'],
      [{ max_tokens: 5, min_tokens: 6 }, 'invalid_value', 'min_tokens'],
      [{ n: 0 }, 'invalid_value', 'n'],
      [{ n: 129 }, 'invalid_value', 'n'],
      [{ n: 1e9 }, 'invalid_value', 'n'],
      [{ seed: 2 ** 53 }, 'invalid_value', 'seed'],
      [{ seed: 0.5 }, 'invalid_type', 'seed'],
      [{ stop: '' }, 'invalid_value', 'stop'],
      [{ stop: ['a', ''] }, 'invalid_value', 'stop[1]'],
      [{ stop: ['a', 7] }, 'invalid_type', 'stop[1]'],
      [{ stop: ['a', null] }, 'invalid_type', 'stop[1]'],
      [{ logit_bias: { 5: null } }, 'invalid_type', 'logit_bias[5]'],
      [{ stop: 'x'.repeat(257) }, 'invalid_value', 'stop'],
      [{ stop: Array(17).fill('a') }, 'invalid_value', 'stop'],
      [{ stop: Array(10_000).fill('x'.repeat(300)) }, 'invalid_value', 'stop'],
      [{ stop: { a: 1 } }, 'invalid_type', 'stop'],
      [{ stop_token_ids: [-1] }, 'invalid_value', 'stop_token_ids[0]'],
      [{ stop_token_ids: Array(65).fill(1) }, 'invalid_value', 'stop_token_ids'],
      [{ stop_token_ids: 5 }, 'invalid_type', 'stop_token_ids'],
      [{ logit_bias: { 5: 101 } }, 'invalid_value', 'logit_bias[5]'],
      [{ logit_bias: { five: 1 } }, 'invalid_value', 'logit_bias'],
      [{ logit_bias: { '-5': 1 } }, 'invalid_value', 'logit_bias'],
      [{ logit_bias: [] }, 'invalid_type', 'logit_bias'],
      [
        { logit_bias: Object.fromEntries(Array.from({ length: 1_025 }, (_, id) => [id, 1])) },
        'invalid_value',
        'logit_bias',
      ],
      [{ ignore_eos: 'yes' }, 'invalid_type', 'ignore_eos'],
      [{ stream: 1 }, 'invalid_type', 'stream'],
      [{ stream_options: { include_usage: true } }, 'invalid_value', 'stream_options'],
      [{ stream: true, stream_options: true }, 'invalid_type', 'stream_options'],
      [{ stream: true, stream_options: { include_usage: 'yes' } }, 'invalid_type', 'stream_options.include_usage'],
      [
        { stream: true, stream_options: { continuous_usage_stats: 1 } },
        'invalid_type',
        'stream_options.continuous_usage_stats',
      ],
      [{ prompt_logprobs: 21 }, 'invalid_value', 'prompt_logprobs'],
      [{ prompt_logprobs: -1 }, 'invalid_value', 'prompt_logprobs'],
      [{ prompt_logprobs: 0, stream: true }, 'invalid_value', 'prompt_logprobs'],
      [{ priority: 11 }, 'invalid_value', 'priority'],
      [{ timeout_ms: 0 }, 'invalid_value', 'timeout_ms'],
      [{ user: {} }, 'invalid_type', 'user'],
      [{ session_id: 'x'.repeat(513) }, 'invalid_value', 'session_id'],
      [{ cache_salt: '' }, 'invalid_value', 'cache_salt'],
      [{ cache_salt: 7 }, 'invalid_type', 'cache_salt'],
      [{ response_format: { type: 'json_object' } }, 'unsupported_parameter', 'response_format'],
    ]),
  )('given %s, then %s names %s', (_, condition, param, changes) => {
    for (const kind of ['completion', 'chat'] as const) {
      const error = errorOf(kind, changes);
      expect(error).toMatchObject({ condition, param });
      expect(error.message).toContain(`'${param}'`);
      expect(error.message).toMatch(/^[A-Z].*\.$/);
      expect(error.message.length).toBeLessThan(300);
    }
  });
});

describe('bad completion requests', () => {
  it.each(
    titled([
      [{ prompt: undefined }, 'missing_required_parameter', 'prompt'],
      [{ prompt: null }, 'missing_required_parameter', 'prompt'],
      [{ prompt: '' }, 'invalid_value', 'prompt'],
      [{ prompt: [] }, 'invalid_value', 'prompt'],
      [{ prompt: ['a', ''] }, 'invalid_value', 'prompt[1]'],
      [{ prompt: [[1], []] }, 'invalid_value', 'prompt[1]'],
      [{ prompt: 5 }, 'invalid_type', 'prompt'],
      [{ prompt: {} }, 'invalid_type', 'prompt'],
      [{ prompt: [1, 'a'] }, 'invalid_type', 'prompt[1]'],
      [{ prompt: ['a', 1] }, 'invalid_type', 'prompt[1]'],
      [{ prompt: [1, -1] }, 'invalid_value', 'prompt[1]'],
      [{ prompt: [1.5] }, 'invalid_type', 'prompt[0]'],
      [{ prompt: [[1], [1, 'a']] }, 'invalid_type', 'prompt[1][1]'],
      [{ prompt: [null] }, 'invalid_type', 'prompt[0]'],
      [{ prompt: Array(129).fill('a') }, 'invalid_value', 'prompt'],
      [{ prompt: Array(2_000).fill('a') }, 'invalid_value', 'prompt'],
      [{ prompt: ['a', 'b'], n: 65 }, 'invalid_value', 'prompt'],
      [{ logprobs: 6 }, 'invalid_value', 'logprobs'],
      [{ logprobs: -1 }, 'invalid_value', 'logprobs'],
      [{ logprobs: true }, 'invalid_type', 'logprobs'],
      [{ echo: 1 }, 'invalid_type', 'echo'],
      [{ best_of: 2 }, 'unsupported_parameter', 'best_of'],
      [{ suffix: 'x' }, 'unsupported_parameter', 'suffix'],
    ]),
  )('given %s, then %s names %s', (_, condition, param, changes) => {
    expect(errorOf('completion', changes)).toMatchObject({ condition, param });
  });
});

describe('bad chat requests', () => {
  it.each(
    titled([
      [{ messages: undefined }, 'missing_required_parameter', 'messages'],
      [{ messages: [] }, 'invalid_value', 'messages'],
      [{ messages: 'Hello' }, 'invalid_type', 'messages'],
      [{ messages: [7] }, 'invalid_type', 'messages[0]'],
      [{ messages: [null] }, 'invalid_type', 'messages[0]'],
      [{ messages: Array(20_000).fill({}) }, 'invalid_value', 'messages'],
      [{ messages: [{ content: 'x' }] }, 'missing_required_parameter', 'messages[0].role'],
      [{ messages: [{ role: 'robot', content: 'x' }] }, 'invalid_value', 'messages[0].role'],
      [{ messages: [{ role: 'user' }] }, 'missing_required_parameter', 'messages[0].content'],
      [
        { messages: [...Array(199).fill({ role: 'user', content: 'x' }), { role: 'user', content: true }] },
        'invalid_type',
        'messages[199].content',
      ],
      [user(null), 'missing_required_parameter', 'messages[0].content'],
      [user(7), 'invalid_type', 'messages[0].content'],
      [user([]), 'invalid_value', 'messages[0].content'],
      [user([{ text: 'x' }]), 'missing_required_parameter', 'messages[0].content[0].type'],
      [user([{ type: 'text' }]), 'missing_required_parameter', 'messages[0].content[0].text'],
      [user([{ type: 'text', text: 7 }]), 'invalid_type', 'messages[0].content[0].text'],
      [user([{ type: 'poem', text: 'x' }]), 'invalid_value', 'messages[0].content[0].type'],
      [
        user([
          { type: 'text', text: 'x' },
          { type: 'image_url', image_url: { url: 'data:' } },
        ]),
        'unsupported_parameter',
        'messages[0].content[1].type',
      ],
      [user('x', { tool_calls: [{}] }), 'unsupported_parameter', 'messages[0].tool_calls'],
      [user('x', { function_call: {} }), 'unsupported_parameter', 'messages[0].function_call'],
      [user('x', { name: 7 }), 'invalid_type', 'messages[0].name'],
      [{ max_completion_tokens: 0 }, 'invalid_value', 'max_completion_tokens'],
      [{ logprobs: 1 }, 'invalid_type', 'logprobs'],
      [{ logprobs: true, top_logprobs: 21 }, 'invalid_value', 'top_logprobs'],
      [{ top_logprobs: 2 }, 'invalid_value', 'top_logprobs'],
      [{ logprobs: false, top_logprobs: 2 }, 'invalid_value', 'top_logprobs'],
      [{ echo: true }, 'unsupported_parameter', 'echo'],
      [{ tools: [{ type: 'function' }] }, 'unsupported_parameter', 'tools'],
      [{ tool_choice: 'required' }, 'unsupported_parameter', 'tool_choice'],
      [{ modalities: ['text', 'audio'] }, 'unsupported_parameter', 'modalities'],
    ]),
  )('given %s, then %s names %s', (_, condition, param, changes) => {
    expect(errorOf('chat', changes)).toMatchObject({ condition, param });
  });

  it('given what is empty, then the sentence says so without counting', () => {
    expect(errorOf('chat', { stop: '' }).message).toBe("Invalid 'stop': expected a string that is not empty.");
    expect(errorOf('chat', { messages: [] }).message).toBe("Invalid 'messages': expected an array that is not empty.");
  });

  it.each([[null], [[]], [7], ['{}'], [undefined]])('given the body %j, then it is refused', (body) => {
    for (const kind of ['completion', 'chat'] as const) expect(() => PARSE[kind](body)).toThrow(ApiError);
  });
});

describe('what asks for nothing', () => {
  it('given null for every optional parameter, then it is absent', () => {
    const nulls = Object.fromEntries(FEATURES.map(({ name }) => [name, null]));
    for (const kind of ['completion', 'chat'] as const) {
      expect(PARSE[kind]({ ...GOOD[kind], ...nulls, stream: null, stream_options: null, user: null })).toEqual({
        ...PARSE[kind](GOOD[kind]),
        unknownFields: expect.anything(),
      });
    }
  });

  it('given neutral values, then nothing is active', () => {
    const neutral = {
      temperature: 1,
      top_p: 1,
      top_k: -1,
      n: 1,
      stop: [],
      logit_bias: {},
      echo: false,
      logprobs: false,
      top_logprobs: 0,
      tools: [],
      tool_choice: 'auto',
      response_format: { type: 'text' },
      modalities: ['text'],
      service_tier: 'auto',
      store: false,
      metadata: { a: 'b' },
    };
    expect(PARSE.chat({ ...GOOD.chat, ...neutral })).toMatchObject({ activeParameters: [], unknownFields: [] });
  });

  it('given unknown fields, then they are accepted and named, at most 16 of them, each short', () => {
    const unknown = Object.fromEntries(
      Array.from({ length: 1_000 }, (_, index) => [`field${index}${'x'.repeat(999)}`, 1]),
    );
    const { unknownFields } = PARSE.completion({ ...GOOD.completion, ...unknown });
    expect(unknownFields).toHaveLength(16);
    for (const name of unknownFields) expect(name.length).toBeLessThanOrEqual(64);
  });

  it('given a __proto__ field, then it is an unknown one', () => {
    const body: unknown = JSON.parse('{"model":"m","prompt":"x","__proto__":{"n":5}}');
    expect(PARSE.completion(body)).toMatchObject({ choicesPerPrompt: 1, unknownFields: ['__proto__'] });
  });
});

describe('any JSON', () => {
  const KEYS = [...completionValidator.fields, ...chatValidator.fields];
  const anyValue = fc.oneof(fc.jsonValue(), fc.constantFrom<unknown>(INFINITE, -1, 0, 1, true, 'text', [], {}, [[1]]));
  const anyBody = fc
    .tuple(fc.constantFrom(GOOD.completion, GOOD.chat, {}), fc.dictionary(fc.constantFrom(...KEYS), anyValue))
    .map(([good, changes]) => ({ ...good, ...changes }));

  it('given any value, then a call or an ApiError with a sentence and a parameter', () =>
    fc.assert(
      fc.property(fc.oneof(anyBody, fc.jsonValue()), (body) => {
        for (const kind of ['completion', 'chat'] as const) {
          try {
            expect(PARSE[kind](body).kind).toBe(kind);
          } catch (error) {
            if (!(error instanceof ApiError)) throw error;
            expect(error.httpStatus).toBe(400);
            expect(error.message).toMatch(/\.$/);
          }
        }
      }),
      { numRuns: 500 },
    ));

  it('given any value, then the compiled validator and zod agree', () =>
    fc.assert(
      fc.property(anyBody, (body) => {
        expect(accepts(() => completionValidator.validate(body))).toBe(completionRequestSchema.safeParse(body).success);
        expect(accepts(() => chatValidator.validate(body))).toBe(chatRequestSchema.safeParse(body).success);
      }),
      { numRuns: 500 },
    ));

  it('given the schemas, then no union is left to be tried branch by branch', () => {
    expect(JSON.stringify([completionValidator.jsonSchema, chatValidator.jsonSchema])).not.toMatch(/anyOf|oneOf/);
  });
});

function accepts(validate: () => unknown): boolean {
  try {
    validate();
    return true;
  } catch {
    return false;
  }
}
