import fc from 'fast-check';
import type { ChatCompletionChunk } from 'openai/resources/chat/completions';
import type { Completion } from 'openai/resources/completions';
import { Stream } from 'openai/streaming';
import { describe, expect, it } from 'vitest';
import { type AnswerDelta, type AnswerHead, answerHead, usageBody } from './answer.js';
import type { AnswerStream, AnswerStreamOptions } from './answer-stream.js';
import { createAnswerStream } from './create-answer-stream.js';
import { ApiError } from './errors.js';
import { chatCompletionChunkSchema, completionChunkSchema } from './response-schemas.js';
import { SSE_KEEP_ALIVE, sseError } from './sse.js';

const FINGERPRINT = '0123456789abcdef0123456789abcdef';
const CHAT = answerHead('chat', 'a1b2', 'smollm2', FINGERPRINT, 1_764_086_400);
const COMPLETION = answerHead('completion', 'a1b2', 'smollm2', FINGERPRINT, 1_764_086_400);
const USAGE = { promptTokens: 5, completionTokens: 3, cachedTokens: 4 };
const PLAIN = options({});
const FULL = options({ includeUsage: true, returnTokenIds: true });

function options(changes: Partial<AnswerStreamOptions>): AnswerStreamOptions {
  const promptTokenIds = [[1, 2], [3]];
  return {
    includeUsage: false,
    continuousUsage: false,
    returnTokenIds: false,
    promptTokenIds,
    choicesPerPrompt: 1,
    ...changes,
  };
}

function delta(choiceIndex: number, text: string, tokenIds: number[], more: Partial<AnswerDelta> = {}): AnswerDelta {
  return { choiceIndex, text, tokenIds, ...more };
}

const DELTAS = [
  delta(0, 'The "sky"', [10, 11]),
  delta(0, '', [12]),
  delta(0, '\n is\u2028 blue \u{1f600}', [13]),
  delta(0, '', [2], { finish: 'stop', stopReason: 2 }),
];

function render(stream: AnswerStream, deltas: readonly AnswerDelta[] = DELTAS): string {
  return deltas.map((one) => stream.delta(one)).join('') + stream.end(USAGE);
}

/** What the official client makes of the bytes. */
async function read<T>(events: string): Promise<T[]> {
  const items: T[] = [];
  const stream = Stream.fromSSEResponse<T>(new Response(events), new AbortController());
  for await (const item of stream) items.push(item);
  return items;
}

describe('streams, byte for byte', () => {
  it.each([
    ['completion', COMPLETION, PLAIN],
    ['completion-full', COMPLETION, FULL],
    ['chat', CHAT, PLAIN],
    ['chat-full', CHAT, FULL],
  ])('given the deltas of one answer, then %s is as recorded', async (name, head, how) => {
    await expect(render(createAnswerStream(head, how))).toMatchFileSnapshot(`goldens/${name}.sse`);
  });

  it('given two prompts with two choices each, then every choice tells the ids of its own prompt, once', async () => {
    const stream = createAnswerStream(COMPLETION, options({ returnTokenIds: true, choicesPerPrompt: 2 }));
    const deltas = [0, 1, 2, 3, 0].map((choice) => delta(choice, 'x', [9]));
    const chunks = await read<Completion & { choices: { prompt_token_ids: number[] | null }[] }>(
      render(stream, deltas),
    );
    expect(chunks.map(({ choices }) => [choices[0]?.index, choices[0]?.prompt_token_ids])).toEqual([
      [0, [1, 2]],
      [1, [1, 2]],
      [2, [3]],
      [3, [3]],
      [0, null],
    ]);
  });
});

describe('what the official client reads', () => {
  it('given a chat stream, then roles, text, finish and usage', async () => {
    const chunks = await read<ChatCompletionChunk>(render(createAnswerStream(CHAT, options({ includeUsage: true }))));
    expect(chunks[0]?.choices[0]?.delta).toEqual({ role: 'assistant', content: '' });
    expect(chunks.map(({ choices }) => choices[0]?.delta.content ?? '').join('')).toBe(
      'The "sky"\n is\u2028 blue \u{1f600}',
    );
    expect(chunks.at(-2)?.choices[0]).toMatchObject({ delta: {}, finish_reason: 'stop' });
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: usageBody(USAGE) });
    expect(chunks.slice(0, -1).every(({ usage }) => usage === null)).toBe(true);
  });

  it('given a completion stream with keep-alive comments, then text and finish', async () => {
    const events = SSE_KEEP_ALIVE + SSE_KEEP_ALIVE + render(createAnswerStream(COMPLETION, PLAIN));
    const chunks = await read<Completion>(events);
    expect(chunks.map(({ choices }) => choices[0]?.text).join('')).toBe('The "sky"\n is\u2028 blue \u{1f600}');
    expect(chunks.at(-1)?.choices[0]?.finish_reason).toBe('stop');
    expect(chunks.every((chunk) => !('usage' in chunk))).toBe(true);
  });

  it('given a lost worker, then the client throws our error after what came before', async () => {
    const stream = createAnswerStream(COMPLETION, PLAIN);
    const events = stream.delta(delta(0, 'The', [1])) + sseError(new ApiError('worker_lost', 'The worker\nwas lost.'));
    expect(events).not.toContain('[DONE]');
    await expect(read(events)).rejects.toMatchObject({ code: 'worker_lost', type: 'server_error' });
  });
});

describe('templates against JSON.stringify of the whole', () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.string({ unit: fc.constantFrom('\u2028', '\u2029', '\u0085', '\n', '\r', '"', '\\', '\0', '\ud800', 'a') }),
  );
  const deltas = fc.array(
    fc.record<AnswerDelta, 'choiceIndex' | 'text' | 'tokenIds'>(
      {
        choiceIndex: fc.nat(3),
        text,
        tokenIds: fc.array(fc.nat(200_000), { maxLength: 3 }),
        finish: fc.constantFrom('stop' as const, 'length' as const),
        stopReason: fc.oneof(text, fc.nat(200_000)),
      },
      { requiredKeys: ['choiceIndex', 'text', 'tokenIds'] },
    ),
    { maxLength: 12 },
  );
  const how = fc
    .record({ includeUsage: fc.boolean(), continuousUsage: fc.boolean(), returnTokenIds: fc.boolean() })
    .map((changes) => options({ ...changes, choicesPerPrompt: 2 }));
  const head = fc
    .tuple(fc.constantFrom('chat' as const, 'completion' as const), text)
    .map(([kind, model]) => answerHead(kind, 'a1', model, FINGERPRINT, 7));

  it('given any deltas, then the events are those of a naive builder, one line each, and fit the published schema', () =>
    fc.assert(
      fc.property(head, how, deltas, (answer, how, all) => {
        const events = render(createAnswerStream(answer, how), all).split('\n\n');
        expect(events.splice(-2)).toEqual(['data: [DONE]', '']);
        const bodies = events.map((event) => {
          expect(event).toMatch(/^data: [^\n\r\u0085\u2028\u2029]*$/);
          return JSON.parse(event.slice(6));
        });
        expect(bodies).toEqual(JSON.parse(JSON.stringify(naiveChunks(answer, how, all))));
        const schema = answer.kind === 'chat' ? chatCompletionChunkSchema : completionChunkSchema;
        for (const body of bodies) expect(schema.strict().safeParse(body).success).toBe(true);
      }),
    ));
});

/** The same events, built the plain way. */
function naiveChunks(head: AnswerHead, how: AnswerStreamOptions, deltas: readonly AnswerDelta[]): object[] {
  const begun = new Set<number>();
  const promptTokens = how.promptTokenIds.flat().length;
  let completionTokens = 0;
  const soFar = () => {
    if (!how.continuousUsage) return null;
    return {
      prompt_tokens: promptTokens,
      completion_tokens: completionTokens,
      total_tokens: promptTokens + completionTokens,
    };
  };
  const chunk = (choices: object[], more: object = {}) => ({
    id: head.id,
    object: head.kind === 'chat' ? 'chat.completion.chunk' : 'text_completion',
    created: head.created,
    model: head.model,
    system_fingerprint: head.systemFingerprint,
    choices,
    ...(how.includeUsage && { usage: soFar() }),
    ...more,
  });
  const choice = (one: AnswerDelta, what: object, finish: string | null = null) => ({
    index: one.choiceIndex,
    ...what,
    logprobs: null,
    finish_reason: finish,
  });
  const tokenIds = (ids: readonly number[]) => (how.returnTokenIds ? { token_ids: ids } : {});
  const chunks = deltas.flatMap((one) => {
    const isFirst = !begun.has(one.choiceIndex);
    const isVeryFirst = begun.size === 0;
    const ended = one.finish !== undefined;
    if (head.kind === 'completion') {
      completionTokens += one.tokenIds.length;
      if (one.text === '' && !ended && !how.returnTokenIds) return [];
      begun.add(one.choiceIndex);
      const prompt = isFirst ? how.promptTokenIds[Math.floor(one.choiceIndex / 2)] : null;
      const ids = how.returnTokenIds ? { token_ids: one.tokenIds, prompt_token_ids: prompt } : {};
      const stopReason = ended ? (one.stopReason ?? null) : null;
      return [chunk([{ ...choice(one, { text: one.text }, one.finish ?? null), stop_reason: stopReason, ...ids }])];
    }
    begun.add(one.choiceIndex);
    const events: object[] = [];
    const prompt = isVeryFirst && how.returnTokenIds ? { prompt_token_ids: how.promptTokenIds[0] } : {};
    if (isFirst) events.push(chunk([choice(one, { delta: { role: 'assistant', content: '' } })], prompt));
    completionTokens += one.tokenIds.length;
    const hasText = one.text !== '' || (how.returnTokenIds && !ended);
    if (hasText) events.push(chunk([{ ...choice(one, { delta: { content: one.text } }), ...tokenIds(one.tokenIds) }]));
    if (ended) {
      const rest = tokenIds(hasText ? [] : one.tokenIds);
      events.push(chunk([{ ...choice(one, { delta: {} }, one.finish), stop_reason: one.stopReason ?? null, ...rest }]));
    }
    return events;
  });
  return how.includeUsage ? [...chunks, chunk([], { usage: usageBody(USAGE) })] : chunks;
}
