import { createParser } from 'eventsource-parser';
import { errorFacts, Problem } from './problem.js';
import type { Usage } from './resources.js';

/** What a streamed answer tells, in this order: the prompt, texts, one finish, the usage. */
export type ChatEvent =
  | { readonly kind: 'prompt'; readonly promptTokens: number }
  | { readonly kind: 'text'; readonly text: string; readonly tokens: number }
  | { readonly kind: 'finish'; readonly reason: string; readonly tokens: number }
  | { readonly kind: 'usage'; readonly usage: Usage };

interface Choice {
  readonly delta?: { readonly content?: string };
  readonly finish_reason?: string | null;
  readonly token_ids?: readonly number[];
}

interface Chunk {
  readonly choices?: readonly Choice[];
  readonly prompt_token_ids?: readonly number[];
  readonly usage?: Usage | null;
}

/**
 * Reads a stream of `POST /v1/chat/completions` with `return_token_ids`, by which tokens are counted while they come.
 * @param pieces  text of the body, cut anywhere
 * @throws Problem for an error within the stream, or when it ends before `[DONE]`
 */
export async function* chatEvents(pieces: AsyncIterable<string>): AsyncGenerator<ChatEvent> {
  const payloads: string[] = [];
  const parser = createParser({ onEvent: ({ data }) => payloads.push(data) });
  for await (const piece of pieces) {
    parser.feed(piece);
    for (const payload of payloads.splice(0)) {
      if (payload === '[DONE]') return;
      yield* eventsOf(payload);
    }
  }
  throw new Problem({ message: 'The answer broke off: the connection ended before its last event.', code: 'network' });
}

function* eventsOf(payload: string): Generator<ChatEvent> {
  const chunk = JSON.parse(payload) as Chunk;
  const failure = errorFacts(chunk);
  if (failure !== undefined) throw new Problem(failure);
  if (chunk.prompt_token_ids) yield { kind: 'prompt', promptTokens: chunk.prompt_token_ids.length };
  const [choice] = chunk.choices ?? [];
  const tokens = choice?.token_ids?.length ?? 0;
  if (choice?.finish_reason) yield { kind: 'finish', reason: choice.finish_reason, tokens };
  else if (choice?.delta?.content || tokens > 0) yield { kind: 'text', text: choice?.delta?.content ?? '', tokens };
  if (chunk.usage) yield { kind: 'usage', usage: chunk.usage };
}
