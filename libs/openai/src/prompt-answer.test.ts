import type OpenAI from 'openai';
import { Stream } from 'openai/streaming';
import { describe, expect, it } from 'vitest';
import { FinishReason, type FrameEntry, type PositionLogprobs } from '#lib/contracts';
import { type AnswerDelta, answerHead } from './answer.js';
import { AnswerCollector, toAnswerBody } from './answer-body.js';
import type { CallKind, CompletionCall } from './call.js';
import { parseChatRequest } from './chat-request.js';
import { parseCompletionRequest } from './completion-request.js';
import { createAnswerStream } from './create-answer-stream.js';
import { GrpcCompletionStream } from './grpc-answer.js';
import { PromptAnswer } from './prompt-answer.js';
import {
  chatCompletionChunkSchema,
  chatCompletionSchema,
  completionChunkSchema,
  completionSchema,
} from './response-schemas.js';

/** Token 0 is special; 3 and 4 are the halves of `é`. */
const BYTES = ['<s>', 'The', ' sky', [0xc3], [0xa9], '!'].map((bytes) => Buffer.from(bytes as string));
const table = { bytes: (id: number) => BYTES[id]!, isSpecial: (id: number) => id === 0 };
const USAGE = { promptTokens: 3, completionTokens: 3, cachedTokens: 0 };

function position(tokenId: number, logprob: number, top: [number, number][] = []): PositionLogprobs {
  const told = (id: number, value: number) => ({ tokenId: id, logprob: value, tokenBytes: BYTES[id]! });
  return { chosen: told(tokenId, logprob), top: top.map(([id, value]) => told(id, value)) };
}

function entry(changes: Partial<FrameEntry>): FrameEntry {
  return {
    generationId: 'g',
    sequenceIndex: 0,
    tokenIds: [],
    text: '',
    logprobs: [],
    finishReason: FinishReason.UNSPECIFIED,
    stopMatch: '',
    promptLogprobs: [],
    textEnds: [],
    ...changes,
  };
}

const ENTRIES = [
  entry({
    tokenIds: [3],
    logprobs: [
      position(3, -1, [
        [5, -0.5],
        [3, -1],
      ]),
    ],
    promptLogprobs: [
      position(1, -2, [
        [1, -2],
        [2, -3],
      ]),
      position(2, -4, [
        [1, -1],
        [5, -3],
      ]),
    ],
  }),
  entry({
    tokenIds: [4],
    text: 'é',
    logprobs: [
      position(4, Number.NEGATIVE_INFINITY, [
        [5, -0.25],
        [1, -2],
      ]),
    ],
  }),
  entry({
    tokenIds: [5],
    text: '!',
    logprobs: [
      position(5, -0.125, [
        [5, -0.125],
        [1, -3],
      ]),
    ],
    finishReason: FinishReason.LENGTH,
  }),
];

const completion = (more: object) =>
  parseCompletionRequest({ model: 'm', prompt: 'The sky', ...more }, { maxChoices: 8 });
const chat = (more: object) =>
  parseChatRequest({ model: 'm', messages: [{ role: 'user', content: 'x' }], ...more }, { maxChoices: 8 });

function deltas(call: CompletionCall): AnswerDelta[] {
  const answer = new PromptAnswer(call, { index: 0, tokenIds: [0, 1, 2], text: 'The sky', table: () => table });
  return ENTRIES.map((one) => answer.delta(one));
}

const head = (kind: CallKind) => answerHead(kind, 'g', 'm', 'fingerprint', 7);

function whole(call: CompletionCall) {
  const collector = new AnswerCollector(1, false);
  for (const delta of deltas(call)) collector.add(delta);
  const answer = {
    choices: collector.choices,
    usage: USAGE,
    returnTokenIds: false,
    promptTokenIds: [],
    choicesPerPrompt: 1,
  };
  return toAnswerBody(head(call.kind), answer);
}

/** What the official client reads from the stream. */
async function streamed<T>(call: CompletionCall): Promise<T[]> {
  const stream = createAnswerStream(head(call.kind), {
    includeUsage: false,
    continuousUsage: false,
    returnTokenIds: false,
    promptTokenIds: [],
    choicesPerPrompt: 1,
  });
  const events =
    deltas(call)
      .map((delta) => stream.delta(delta))
      .join('') + stream.end(USAGE);
  const items: T[] = [];
  for await (const item of Stream.fromSSEResponse<T>(new Response(events), new AbortController())) items.push(item);
  return items;
}

describe('log-probabilities and echo', () => {
  it('given nothing of it, then deltas are plain and the table is not made', () => {
    const answer = new PromptAnswer(completion({}), {
      index: 0,
      tokenIds: [1],
      text: '',
      table: () => {
        throw new Error('made');
      },
    });
    expect(answer.delta(ENTRIES[0]!)).not.toHaveProperty('logprobs');
  });

  it('given a completion with echo and logprobs, then the prompt comes first, and the body fits our schema', () => {
    const body = whole(completion({ echo: true, logprobs: 1 }));
    expect(completionSchema.strict().safeParse(body).error).toBeUndefined();
    expect(body.choices[0]).toMatchObject({
      text: 'The skyé!',
      logprobs: {
        tokens: ['<s>', 'The', ' sky', '\ufffd', '\ufffd', '!'],
        token_logprobs: [null, -2, -4, -1, -9_999, -0.125],
        top_logprobs: [
          null,
          { The: -2 },
          { The: -1, ' sky': -4 },
          { '!': -0.5, '\ufffd': -1 },
          { '!': -0.25, '\ufffd': -9_999 },
          { '!': -0.125 },
        ],
        text_offset: [0, 0, 3, 7, 7, 8],
      },
    });
  });

  it('given logprobs without echo, then offsets begin with the text', () => {
    expect(whole(completion({ logprobs: 0 })).choices[0]).toMatchObject({
      text: 'é!',
      logprobs: { token_logprobs: [-1, -9_999, -0.125], text_offset: [0, 0, 1] },
    });
  });

  it('given prompt_logprobs, then vLLM’s form, beside the text', () => {
    const told = [
      null,
      { 1: { logprob: -2, rank: 1, decoded_token: 'The' } },
      { 1: { logprob: -1, rank: 1, decoded_token: 'The' }, 2: { logprob: -4, rank: null, decoded_token: ' sky' } },
    ];
    const body = whole(completion({ prompt_logprobs: 1 }));
    expect(body.choices[0]).toMatchObject({ text: 'é!', logprobs: null, prompt_logprobs: told });
    expect(completionSchema.strict().safeParse(body).error).toBeUndefined();
    const answered = whole(chat({ prompt_logprobs: 1 }));
    expect(answered).toMatchObject({ prompt_logprobs: told });
    expect(chatCompletionSchema.strict().safeParse(answered).error).toBeUndefined();
  });

  it('given a completion, when streamed to the openai client, then the pieces are the whole', async () => {
    const call = completion({ echo: true, logprobs: 2, stream: true });
    const chunks = await streamed<OpenAI.Completion>(call);
    for (const chunk of chunks) expect(completionChunkSchema.strict().safeParse(chunk).error).toBeUndefined();
    const pieces = chunks.map(({ choices }) => choices[0]!);
    const { text, logprobs } = (whole(call) as OpenAI.Completion).choices[0]!;
    expect(pieces.map((piece) => piece.text).join('')).toBe(text);
    for (const field of ['tokens', 'token_logprobs', 'top_logprobs', 'text_offset'] as const) {
      expect(pieces.flatMap((piece): unknown[] => piece.logprobs?.[field] ?? [])).toEqual(logprobs?.[field]);
    }
  });

  it('given a chat, when streamed to the openai client, then the pieces are the whole', async () => {
    const call = chat({ logprobs: true, top_logprobs: 2, stream: true });
    const chunks = await streamed<OpenAI.ChatCompletionChunk>(call);
    for (const chunk of chunks) expect(chatCompletionChunkSchema.strict().safeParse(chunk).error).toBeUndefined();
    const body = whole(call) as OpenAI.ChatCompletion;
    expect(chatCompletionSchema.strict().safeParse(body).error).toBeUndefined();
    const content = body.choices[0]?.logprobs?.content;
    expect(chunks.flatMap(({ choices }) => choices[0]?.logprobs?.content ?? [])).toEqual(content);
    expect(content?.[0]).toEqual({
      token: '\ufffd',
      logprob: -1,
      bytes: [0xc3],
      top_logprobs: [
        { token: '!', logprob: -0.5, bytes: [33] },
        { token: '\ufffd', logprob: -1, bytes: [0xc3] },
      ],
    });
  });

  it('given gRPC, then tokens with bytes, and NaN for the first of a prompt', () => {
    const options = {
      includeUsage: true,
      continuousUsage: false,
      returnTokenIds: false,
      promptTokenIds: [],
      choicesPerPrompt: 1,
    };
    const stream = new GrpcCompletionStream(head('completion'), options);
    const [first] = deltas(completion({ echo: true, logprobs: 1 })).map((delta) => stream.deltas([delta])?.choices[0]);
    expect(first?.text).toBe('The sky');
    expect(first?.logprobs.map(({ logprob }) => logprob)).toEqual([Number.NaN, -2, -4, -1]);
    expect(first?.logprobs[3]).toMatchObject({ tokenBytes: Buffer.from([0xc3]), top: [{ token: '!', logprob: -0.5 }] });
  });
});
