import { describe, expect, it } from 'vitest';
import { GenerationRequest } from '#lib/contracts';
import { parseChatRequest } from './chat-request.js';
import { parseCompletionRequest } from './completion-request.js';
import { ApiError } from './errors.js';
import { type GenerationContext, type ModelFacts, toGenerationRequests } from './to-generation.js';

const LIMITS = { maxChoices: 128 };
const MODEL: ModelFacts = {
  modelId: 'real-model',
  contextTokens: 100,
  vocabularySize: 1_000,
  unsupportedParameters: ['min_p'],
  caps: {},
  samplingDefaults: { temperature: 0.6, topK: 20 },
};

function context(): GenerationContext {
  let ids = 0;
  return {
    requestId: 'r',
    tenantId: 'anonymous',
    newGenerationId: () => `generation-${ids++}`,
    drawSeed: () => 77,
    deadlineUnixMs: 9_000,
    initialCredit: 256,
    cacheSalt: Buffer.from('salt'),
    trace: { traceparent: 'tp', tracestate: '' },
  };
}

const completion = (changes: Record<string, unknown> = {}) =>
  parseCompletionRequest({ model: 'alias', prompt: 'a', ...changes }, LIMITS);
const chat = (changes: Record<string, unknown> = {}) =>
  parseChatRequest({ model: 'alias', messages: [{ role: 'user', content: 'a' }], ...changes }, LIMITS);
const ids = (count: number) => Array.from({ length: count }, (_, index) => index);

function errorOf(action: () => unknown): ApiError {
  try {
    action();
  } catch (error) {
    if (error instanceof ApiError) return error;
    throw error;
  }
  throw new Error('it was accepted');
}

describe('toGenerationRequests', () => {
  it('given a bare request, then the model’s defaults, a drawn seed and 16 tokens', () => {
    expect(toGenerationRequests(completion(), MODEL, [[1, 2, 3]], context())).toEqual([
      {
        generationId: 'generation-0',
        requestId: 'r',
        tenantId: 'anonymous',
        modelId: 'real-model',
        adapterId: '',
        promptTokenIds: [1, 2, 3],
        acceptedTokenIds: [],
        sampling: {
          temperature: 0.6,
          topP: 1,
          topK: 20,
          minP: 0,
          repetitionPenalty: 1,
          presencePenalty: 0,
          frequencyPenalty: 0,
          logitBias: {},
          seed: 77,
          topLogprobs: 0,
          reportLogprobs: false,
          reportPromptLogprobs: false,
        },
        stop: {
          maxTokens: 16,
          minTokens: 0,
          stopStrings: [],
          stopTokenIds: [],
          ignoreEos: false,
          includeStopString: false,
        },
        sequenceCount: 1,
        deadlineUnixMs: 9_000,
        initialCredit: 256,
        priority: 0,
        cacheSalt: Buffer.from('salt'),
        kvSources: [],
        earlierUses: [],
        trace: { traceparent: 'tp', tracestate: '' },
        leaseId: '',
        workerEpoch: 0,
        leaseTerm: 0,
        echoPrompt: false,
        gatherTokens: 64,
      },
    ]);
  });

  it('given a request, then it survives the wire', () => {
    const [request] = toGenerationRequests(
      completion({ seed: 2 ** 53 - 1, logit_bias: { 999: -100 }, stop: ['ü'], n: 3, temperature: 0.5 }),
      MODEL,
      [[1]],
      context(),
    );
    expect(GenerationRequest.decode(GenerationRequest.encode(request!).finish())).toMatchObject({
      sampling: { seed: 2 ** 53 - 1, logitBias: { 999: -100 }, temperature: 0.5 },
      stop: { stopStrings: ['ü'] },
      sequenceCount: 3,
    });
  });

  it('given several prompts, then one generation each, with the seed asked for', () => {
    const requests = toGenerationRequests(completion({ prompt: ['a', 'b'], seed: -1 }), MODEL, [[1], [2]], context());
    expect(requests.map(({ generationId }) => generationId)).toEqual(['generation-0', 'generation-1']);
    expect(requests.map(({ sampling }) => sampling?.seed)).toEqual([2 ** 53 - 1, 2 ** 53 - 1]);
  });

  it.each([
    ['chat without a limit', chat(), 40, 60],
    ['chat with a limit', chat({ max_completion_tokens: 7 }), 40, 7],
    ['chat to the brim', chat({ max_tokens: 60 }), 40, 60],
    ['a completion without a limit', completion(), 40, 16],
    ['a completion without a limit near the end', completion(), 95, 5],
    ['a completion with min_tokens', completion({ min_tokens: 30 }), 40, 30],
  ])('given %s, then max_tokens fits', (_, call, promptTokens, maxTokens) => {
    const [request] = toGenerationRequests(call, MODEL, [ids(promptTokens)], context());
    expect(request?.stop?.maxTokens).toBe(maxTokens);
  });

  it.each([
    [
      'a limit over the rest',
      completion({ max_tokens: 61 }),
      40,
      'max_tokens',
      "This model's maximum context length is 100 tokens. However, you requested 101 tokens (40 in the prompt, 61 in the completion). Please reduce the length of the prompt or completion.",
    ],
    [
      'a chat limit over the rest',
      chat({ max_completion_tokens: 61 }),
      40,
      'max_completion_tokens',
      "This model's maximum context length is 100 tokens. However, you requested 101 tokens (40 in the messages, 61 in the completion). Please reduce the length of the messages or completion.",
    ],
    [
      'a prompt as long as the context',
      completion(),
      100,
      'prompt',
      "This model's maximum context length is 100 tokens. However, your prompt resulted in 100 tokens. Please reduce the length of the prompt.",
    ],
    [
      'a conversation over the context',
      chat({ max_tokens: 5 }),
      120,
      'messages',
      "This model's maximum context length is 100 tokens. However, you requested 125 tokens (120 in the messages, 5 in the completion). Please reduce the length of the messages.",
    ],
    [
      'a huge limit',
      completion({ max_tokens: 2_147_483_647 }),
      1,
      'max_tokens',
      "This model's maximum context length is 100 tokens. However, you requested 2147483648 tokens (1 in the prompt, 2147483647 in the completion). Please reduce the length of the prompt or completion.",
    ],
  ])('given %s, then context_length_exceeded with the figures', (_, call, promptTokens, param, message) => {
    const error = errorOf(() => toGenerationRequests(call, MODEL, [ids(promptTokens)], context()));
    expect(error).toMatchObject({ condition: 'context_length_exceeded', param, message });
  });

  it('given min_tokens alone that do not fit, then it is named', () => {
    const error = errorOf(() => toGenerationRequests(completion({ min_tokens: 70 }), MODEL, [ids(40)], context()));
    expect(error).toMatchObject({ condition: 'context_length_exceeded', param: 'min_tokens' });
  });

  it('given the second of two prompts over the context, then it is named and nothing is made', () => {
    const call = completion({ prompt: ['a', 'b'] });
    const error = errorOf(() => toGenerationRequests(call, MODEL, [ids(4), ids(100)], context()));
    expect(error.param).toBe('prompt[1]');
  });

  it.each([
    ['a prompt', completion({ prompt: [1, 1_000] }), 'prompt[1]'],
    ['one of two prompts', completion({ prompt: [[1], [1_000]] }), 'prompt[1][0]'],
    ['stop_token_ids', completion({ stop_token_ids: [4, 1_000] }), 'stop_token_ids[1]'],
    ['logit_bias', completion({ logit_bias: { 1000: 1 } }), 'logit_bias'],
  ])('given ids outside the vocabulary in %s, then it is named', (_, call, param) => {
    const prompts = call.input.kind === 'prompts' ? call.input.prompts.map(() => [1]) : [];
    const error = errorOf(() => toGenerationRequests(call, MODEL, prompts, context()));
    expect(error).toMatchObject({ condition: 'invalid_value', param });
  });

  it('given what the model’s workers refuse, then it is named; its neutral value passes', () => {
    const error = errorOf(() => toGenerationRequests(completion({ min_p: 0.1 }), MODEL, [[1]], context()));
    expect(error).toMatchObject({ condition: 'unsupported_parameter', param: 'min_p' });
    expect(error.message).toContain("the model 'alias'");
    expect(toGenerationRequests(completion({ min_p: 0 }), MODEL, [[1]], context())).toHaveLength(1);
  });

  it('given a prompt of no tokens, then it is refused', () => {
    expect(errorOf(() => toGenerationRequests(chat(), MODEL, [[]], context()))).toMatchObject({
      condition: 'invalid_value',
      param: 'messages',
    });
  });
});
