import type OpenAI from 'openai';
import { describe, expect, it } from 'vitest';
import { FinishReason, type FrameEntry } from '#lib/contracts';
import { answerHead, sumUsage, toAnswerDelta } from './answer.js';
import { AnswerCollector, toAnswerBody } from './answer-body.js';
import type { RequestedStop } from './call.js';
import { modelBody, modelListBody, toGrpcModel } from './models-list.js';
import { openApiSchemas } from './openapi.js';
import { chatCompletionSchema, completionSchema, modelSchema } from './response-schemas.js';

const STOP: RequestedStop = {
  maxTokens: 5,
  minTokens: 0,
  stopStrings: ['13', 'END'],
  stopTokenIds: [13, 14],
  ignoreEos: false,
};

function entry(changes: Partial<FrameEntry>): FrameEntry {
  return {
    generationId: 'a1',
    sequenceIndex: 0,
    tokenIds: [7],
    text: 'x',
    logprobs: [],
    finishReason: FinishReason.UNSPECIFIED,
    stopMatch: '',
    promptLogprobs: [],
    textEnds: [],
    ...changes,
  };
}

describe('frames become deltas', () => {
  it.each([
    ['', undefined],
    ['END', 'END'],
    ['13', '13'],
    ['14', 14],
    ['2', undefined],
  ])('given stop match "%s", then the stop reason is %j', (stopMatch, stopReason) => {
    const delta = toAnswerDelta(entry({ stopMatch, finishReason: FinishReason.STOP }), 0, 1, STOP);
    expect(delta).toMatchObject({ finish: 'stop' });
    expect(delta.stopReason).toBe(stopReason);
  });

  it('given sequence 1 of prompt 2 with n = 3, then choice 7', () => {
    expect(toAnswerDelta(entry({ sequenceIndex: 1 }), 2, 3, STOP)).toMatchObject({ choiceIndex: 7, finish: undefined });
  });

  it('given the usage of several generations, then the sum', () => {
    const usage = {
      promptTokens: 5,
      completionTokens: 2,
      cachedPromptTokens: 4,
      queueUs: 0,
      prefillUs: 0,
      decodeUs: 0,
    };
    expect(sumUsage([usage, usage])).toEqual({ promptTokens: 10, completionTokens: 4, cachedTokens: 8 });
  });
});

describe('whole answers', () => {
  const collected = (choices: number, keepsTokenIds: boolean) => {
    const collector = new AnswerCollector(choices, keepsTokenIds);
    for (let choiceIndex = 0; choiceIndex < choices; choiceIndex++) {
      collector.add({ choiceIndex, text: 'The ', tokenIds: [10] });
      collector.add({ choiceIndex, text: 'sky', tokenIds: [11, 2], finish: 'stop', stopReason: 'END' });
    }
    return {
      choices: collector.choices,
      usage: { promptTokens: 5, completionTokens: 6, cachedTokens: 4 },
      returnTokenIds: keepsTokenIds,
      promptTokenIds: [[1, 2], [3]],
      choicesPerPrompt: 1,
    };
  };
  const head = (kind: 'chat' | 'completion') => answerHead(kind, 'a1b2', 'm', '0123456789abcdef', 1_764_086_400);

  it.each([
    ['completion', collected(2, true)],
    ['completion', collected(1, false)],
    ['chat', collected(1, true)],
    ['chat', collected(1, false)],
  ] as const)('given a %s, then the body is as recorded, OpenAI’s type and our own schema', async (kind, answer) => {
    const body: OpenAI.Completion | OpenAI.ChatCompletion = toAnswerBody(head(kind), answer);
    const name = `goldens/${kind}${answer.returnTokenIds ? '-full' : ''}.body`;
    await expect(JSON.stringify(body)).toMatchFileSnapshot(name);
    const schema = kind === 'chat' ? chatCompletionSchema : completionSchema;
    expect(schema.strict().safeParse(body).error).toBeUndefined();
  });

  it('given a choice without an end, then no body is made', () => {
    const answer = { ...collected(1, false), choices: new AnswerCollector(1, false).choices };
    expect(() => toAnswerBody(head('chat'), answer)).toThrow('no finish reason');
  });

  it('given a choice that does not exist, then the collector says so', () => {
    expect(() => new AnswerCollector(1, false).add({ choiceIndex: 1, text: '', tokenIds: [] })).toThrow(RangeError);
  });
});

describe('models', () => {
  it('given a model and an alias, then the list is OpenAI’s with vLLM’s fields', () => {
    const model = { id: 'm', created: 5, contextTokens: 100, capabilities: ['completion' as const] };
    const extras = { max_model_len: 100, capabilities: ['completion'] };
    const { data } = modelListBody([model, { ...model, id: 'alias', parent: 'm' }]);
    expect(data.map((body) => modelSchema.strict().parse(body))).toEqual([
      { id: 'm', object: 'model', created: 5, owned_by: 'hydraserve', root: 'm', parent: null, ...extras },
      { id: 'alias', object: 'model', created: 5, owned_by: 'hydraserve', root: 'm', parent: 'm', ...extras },
    ]);
    const typed: OpenAI.Model = modelBody(model);
    expect(typed.id).toBe('m');
    expect(toGrpcModel({ ...model, id: 'alias', parent: 'm' })).toEqual({
      id: 'alias',
      created: 5,
      ownedBy: 'hydraserve',
      parent: 'm',
      contextTokens: 100,
      capabilities: ['completion'],
    });
  });
});

describe('schemas for OpenAPI', () => {
  it('given the schemas, then every request field has a description, and each call gives its own copy', () => {
    const schemas = openApiSchemas();
    for (const name of ['CompletionRequest', 'ChatCompletionRequest'] as const) {
      for (const property of Object.values(schemas[name].properties ?? {})) expect(property.description).toBeTruthy();
    }
    expect(schemas.CompletionRequest.required).toEqual(['model', 'prompt']);
    expect(schemas.CompletionRequest.properties?.['temperature']).toMatchObject({
      type: ['number', 'null'],
      minimum: 0,
      maximum: 2,
    });
    expect(openApiSchemas().Error).not.toBe(schemas.Error);
  });
});
