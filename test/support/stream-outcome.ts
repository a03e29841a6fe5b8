/** How a stream went, seen by its client. */
export interface StreamOutcome {
  readonly status: number;
  readonly events: number;
  /** `error.code` of an error event or an error answer. */
  readonly error: string | undefined;
  readonly isDone: boolean;
  readonly isCut: boolean;
}

export interface StreamWish {
  readonly model?: string;
  readonly maxTokens: number;
  readonly onStarted?: () => void;
}

let number = 0;

/** Streams a completion to its end; a cut connection is an outcome, a refused one throws. */
export async function streamOutcome(
  url: string,
  { model = 'default', maxTokens, onStarted }: StreamWish,
): Promise<StreamOutcome> {
  const prompt = `stream ${number++}`;
  const response = await fetch(`${url}/v1/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model, prompt, max_tokens: maxTokens, ignore_eos: true, temperature: 0, stream: true }),
  });
  let text = '';
  let isCut = false;
  try {
    for await (const bytes of response.body as ReadableStream<Uint8Array>) {
      const hadStarted = text.includes('data: {"id"');
      text += Buffer.from(bytes).toString();
      if (!hadStarted && text.includes('data: {"id"')) onStarted?.();
    }
  } catch {
    isCut = true;
  }
  return {
    status: response.status,
    events: text.match(/^data: \{"id"/gm)?.length ?? 0,
    error: /"code":"(\w+)"/.exec(text)?.[1],
    isDone: text.includes('data: [DONE]'),
    isCut,
  };
}
