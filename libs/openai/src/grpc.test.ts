import { describe, expect, it } from 'vitest';
import { publicApi } from '#lib/contracts';
import { answerHead } from './answer.js';
import { parseChatRequest } from './chat-request.js';
import { parseCompletionRequest } from './completion-request.js';
import { ApiError } from './errors.js';
import { GrpcChatStream, GrpcCompletionStream, toGrpcChatResponse, toGrpcCompletionResponse } from './grpc-answer.js';
import { fromGrpcChat, fromGrpcCompletion } from './grpc-request.js';

const LIMITS = { maxChoices: 128 };

/** A request as it comes off the wire: floats have 32 bits, absent fields their defaults. */
function completion(request: Parameters<typeof publicApi.CompletionRequest.fromPartial>[0]) {
  const message = publicApi.CompletionRequest.fromPartial(request);
  return publicApi.CompletionRequest.decode(publicApi.CompletionRequest.encode(message).finish());
}

function chat(request: Parameters<typeof publicApi.ChatRequest.fromPartial>[0]) {
  return publicApi.ChatRequest.decode(
    publicApi.ChatRequest.encode(publicApi.ChatRequest.fromPartial(request)).finish(),
  );
}

const text = (value: string) => ({ value: { $case: 'text' as const, value } });
const tokenIds = (...ids: number[]) => ({ value: { $case: 'tokenIds' as const, value: { ids } } });

function errorOf(action: () => unknown): ApiError {
  try {
    action();
  } catch (error) {
    if (error instanceof ApiError) return error;
    throw error;
  }
  throw new Error('it was accepted');
}

describe('gRPC requests', () => {
  it('given the same request over REST, then the same call', () => {
    const options = {
      maxTokens: 200,
      temperature: 0.7,
      topP: 0.95,
      stop: ['END'],
      logitBias: { 5: -1 },
      seed: 3,
      n: 2,
      user: 'u',
      sessionId: 's',
      cacheSalt: 'c',
      priority: -3,
      returnTokenIds: true,
    };
    const rest = {
      model: 'm',
      max_tokens: 200,
      temperature: 0.7,
      top_p: 0.95,
      stop: ['END'],
      logit_bias: { 5: -1 },
      seed: 3,
      n: 2,
      user: 'u',
      session_id: 's',
      cache_salt: 'c',
      priority: -3,
      return_token_ids: true,
      stream: true,
      stream_options: { include_usage: true },
    };
    const overGrpc = fromGrpcCompletion(completion({ model: 'm', prompts: [text('Hi')], options }), true, LIMITS);
    const overRest = parseCompletionRequest({ ...rest, prompt: 'Hi' }, LIMITS);
    expect({ ...overGrpc, activeParameters: overGrpc.activeParameters.toSorted() }).toEqual({
      ...overRest,
      activeParameters: overRest.activeParameters.toSorted(),
    });
    const echoed = completion({ model: 'm', prompts: [text('a')], echo: true, options: { logprobs: 3 } });
    expect(fromGrpcCompletion(echoed, false, LIMITS)).toMatchObject({ echo: true, logprobs: { top: 3 } });
    const options2 = { logprobs: 20 };
    expect(
      fromGrpcChat(chat({ model: 'm', messages: [{ role: 'user', content: 'a' }], options: options2 }), true, LIMITS),
    ).toMatchObject({ echo: false, logprobs: { top: 20 } });
    const messages = [{ role: 'user', content: 'Hi', name: 'Ada' }];
    expect(fromGrpcChat(chat({ model: 'm', messages }), false, LIMITS)).toEqual(
      parseChatRequest({ model: 'm', messages }, LIMITS),
    );
  });

  it('given texts and token ids, then each prompt keeps its form', () => {
    const call = fromGrpcCompletion(completion({ model: 'm', prompts: [text('a'), tokenIds(1, 2)] }), false, LIMITS);
    expect(call.input).toEqual({
      kind: 'prompts',
      prompts: [
        { kind: 'text', text: 'a', param: 'prompt[0]' },
        { kind: 'token-ids', tokenIds: [1, 2], param: 'prompt[1]' },
      ],
    });
  });

  it.each([
    ['no model', completion({ prompts: [text('a')] }), 'missing_required_parameter', 'model'],
    ['no prompt', completion({ model: 'm' }), 'invalid_value', 'prompt'],
    ['an empty prompt', completion({ model: 'm', prompts: [{}] }), 'invalid_value', 'prompt'],
    [
      'max_tokens 0',
      completion({ model: 'm', prompts: [text('a')], options: { maxTokens: 0 } }),
      'invalid_value',
      'max_tokens',
    ],
    [
      'logprobs',
      completion({ model: 'm', prompts: [text('a')], options: { logprobs: 6 } }),
      'invalid_value',
      'logprobs',
    ],
    [
      'a NaN temperature',
      completion({ model: 'm', prompts: [text('a')], options: { temperature: Number.NaN } }),
      'invalid_type',
      'temperature',
    ],
  ])('given %s, then the error of REST', (_, request, condition, param) => {
    expect(errorOf(() => fromGrpcCompletion(request, false, LIMITS))).toMatchObject({ condition, param });
  });

  it('given a message without a role, then it is named', () => {
    const request = chat({ model: 'm', messages: [{ content: 'x' }] });
    expect(errorOf(() => fromGrpcChat(request, false, LIMITS))).toMatchObject({
      condition: 'missing_required_parameter',
      param: 'messages[0].role',
    });
  });
});

describe('gRPC answers', () => {
  const options = {
    includeUsage: true,
    continuousUsage: false,
    returnTokenIds: true,
    promptTokenIds: [[1, 2]],
    choicesPerPrompt: 2,
  };
  const usage = { promptTokens: 2, completionTokens: 3, cachedTokens: 1 };
  const deltas = [
    { choiceIndex: 0, text: 'a', tokenIds: [5] },
    { choiceIndex: 1, text: 'b', tokenIds: [6], finish: 'stop' as const, stopReason: 6 },
  ];

  it('given the deltas of one step, then one message; and the last has the usage', () => {
    const stream = new GrpcCompletionStream(answerHead('completion', 'g', 'm', 'f', 9), options);
    expect(stream.deltas(deltas)?.choices).toEqual([
      { index: 0, text: 'a', finishReason: '', tokenIds: [5], promptTokenIds: [1, 2], logprobs: [], stopReason: '' },
      {
        index: 1,
        text: 'b',
        finishReason: 'stop',
        tokenIds: [6],
        promptTokenIds: [1, 2],
        logprobs: [],
        stopReason: '6',
      },
    ]);
    expect(stream.deltas(deltas)?.choices[0]?.promptTokenIds).toEqual([]);
    expect(stream.end(usage)).toEqual({
      id: 'cmpl-g',
      created: 9,
      model: 'm',
      choices: [],
      usage: { ...usage, totalTokens: 5 },
    });
  });

  it('given a chat, then the role comes once per choice, even before text', () => {
    const stream = new GrpcChatStream(answerHead('chat', 'g', 'm', 'f', 9), { ...options, returnTokenIds: false });
    const silent = { choiceIndex: 0, text: '', tokenIds: [5] };
    expect(stream.deltas([silent])?.choices[0]).toMatchObject({ role: 'assistant', content: '', tokenIds: [] });
    expect(stream.deltas([silent])).toBeUndefined();
    expect(stream.deltas(deltas)?.choices.map(({ role }) => role)).toEqual(['', 'assistant']);
    expect(stream.end(usage).usage?.totalTokens).toBe(5);
  });

  it('given a whole answer, then its message survives the wire', () => {
    const choices = [{ text: 'a', tokenIds: [5], finish: 'length' as const, stopReason: undefined }];
    const answer = { choices, usage, returnTokenIds: true, promptTokenIds: [[1, 2]], choicesPerPrompt: 1 };
    const completed = toGrpcCompletionResponse(answerHead('completion', 'g', 'm', 'f', 9), answer);
    const answered = toGrpcChatResponse(answerHead('chat', 'g', 'm', 'f', 9), answer);
    const { CompletionResponse, ChatResponse } = publicApi;
    expect(CompletionResponse.decode(CompletionResponse.encode(completed).finish())).toEqual(completed);
    expect(ChatResponse.decode(ChatResponse.encode(answered).finish())).toEqual(answered);
    expect(answered).toMatchObject({
      promptTokenIds: [1, 2],
      choices: [{ message: { role: 'assistant', content: 'a' } }],
    });
  });
});
