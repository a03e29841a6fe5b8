import { createParser } from 'eventsource-parser';

/** An error that the server answered, in its words. */
export class ServerError extends Error {
  override readonly name = 'ServerError';
  constructor(
    message: string,
    readonly status: number,
  ) {
    super(message);
  }
}

/** One event of a completion stream, as far as the command line reads it. */
export interface StreamChunk {
  readonly choices: readonly {
    readonly delta?: { readonly content?: string | null };
    readonly text?: string;
    readonly finish_reason?: string | null;
  }[];
  readonly usage?: { readonly prompt_tokens: number; readonly completion_tokens: number } | null;
}

/**
 * Posts a streaming request and yields its events until `[DONE]`.
 * @throws ServerError for an error status, an error event, or a stream that ends before `[DONE]`
 */
export async function* streamCompletion(url: string, body: object, signal?: AbortSignal): AsyncGenerator<StreamChunk> {
  const response = await ask(
    url,
    {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ ...body, stream: true, stream_options: { include_usage: true } }),
    },
    signal,
  );
  if (response.body === null) throw new ServerError('the answer has no body', response.status);

  const events: string[] = [];
  const parser = createParser({ onEvent: (event) => events.push(event.data) });
  const decoder = new TextDecoder();
  for await (const bytes of response.body) {
    parser.feed(decoder.decode(bytes, { stream: true }));
    for (const data of events.splice(0)) {
      if (data === '[DONE]') return;
      const chunk = JSON.parse(data) as StreamChunk & { error?: { message: string } };
      if (chunk.error) throw new ServerError(chunk.error.message, response.status);
      yield chunk;
    }
  }
  throw new ServerError('the stream ended before [DONE]', response.status);
}

/**
 * Sends a request with the key of `HYDRA_API_KEY`, if there is one.
 * @throws ServerError for an error status; Error when nobody answers at that address
 */
export async function ask(url: string, request: RequestInit, signal?: AbortSignal): Promise<Response> {
  const headers = { ...(request.headers as Record<string, string> | undefined), ...authorization() };
  const response = await fetch(url, { ...request, headers, signal: signal ?? null }).catch((cause: Error) => {
    signal?.throwIfAborted();
    const { code, message } = (cause.cause ?? cause) as NodeJS.ErrnoException;
    const reason = code ?? message;
    throw new Error(`nobody answers at ${new URL(url).origin} (${reason}); start a platform with: hydra up`, { cause });
  });
  if (!response.ok) throw new ServerError(await errorMessage(response), response.status);
  return response;
}

function authorization(): Record<string, string> {
  const key = process.env['HYDRA_API_KEY'];
  return key ? { authorization: `Bearer ${key}` } : {};
}

async function errorMessage(response: Response): Promise<string> {
  const text = await response.text();
  try {
    return (JSON.parse(text) as { error: { message: string } }).error.message;
  } catch {
    return `status ${response.status}: ${text.slice(0, 200)}`;
  }
}

/** The text that an event adds to its first choice. */
export function textOf(chunk: StreamChunk): string {
  const choice = chunk.choices[0];
  return choice?.delta?.content ?? choice?.text ?? '';
}
