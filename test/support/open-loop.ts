import { Agent, request } from 'node:http';
import { createInterface } from 'node:readline';

/** What became of one request. Times are of `performance.now()`. */
export interface LoadOutcome {
  readonly sentMs: number;
  readonly status: number;
  /** Undefined when no token came. */
  readonly ttftMs: number | undefined;
  readonly endedMs: number;
  /** The answer came to its end. */
  readonly isWhole: boolean;
  readonly retryAfter: string | undefined;
  readonly reason: string | undefined;
}

export interface LoadTarget {
  readonly url: string;
  readonly maxTokens: number;
  readonly sloTtftMs: number;
}

/** Requests that may be open at once; a driver that had more would measure itself. */
const MOST_OPEN = 4_096;
const TICK_MS = 5;

const agent = new Agent({ keepAlive: true, maxSockets: MOST_OPEN });

/** Sends streamed completions at a rate, however many are open; resolves when all have ended. */
export async function openLoop(target: LoadTarget, perSecond: number, durationMs: number): Promise<LoadOutcome[]> {
  const outcomes: Promise<LoadOutcome>[] = [];
  let open = 0;
  const startMs = performance.now();
  for (let elapsedMs = 0; elapsedMs < durationMs; elapsedMs = performance.now() - startMs) {
    while (outcomes.length < (elapsedMs * perSecond) / 1_000 && open < MOST_OPEN) {
      open++;
      outcomes.push(completion(target, outcomes.length).finally(() => open--));
    }
    await new Promise((resolve) => setTimeout(resolve, TICK_MS));
  }
  return Promise.all(outcomes);
}

/** Keeps so many streamed completions open. */
export async function closedLoop(target: LoadTarget, concurrency: number, durationMs: number): Promise<LoadOutcome[]> {
  const outcomes: LoadOutcome[] = [];
  const endMs = performance.now() + durationMs;
  const lane = async () => {
    while (performance.now() < endMs) outcomes.push(await completion(target, outcomes.length));
  };
  await Promise.all(Array.from({ length: concurrency }, lane));
  return outcomes;
}

/** Whole answers per second whose first token came in time, of those that ended in a window. */
export function goodput(outcomes: readonly LoadOutcome[], sloTtftMs: number, fromMs: number, toMs: number): number {
  const good = outcomes.filter(
    ({ isWhole, ttftMs = Number.POSITIVE_INFINITY, endedMs }) =>
      isWhole && ttftMs <= sloTtftMs && endedMs >= fromMs && endedMs < toMs,
  );
  return (good.length * 1_000) / (toMs - fromMs);
}

/** One streamed completion with a time to first token that it wants. */
export function completion({ url, maxTokens, sloTtftMs }: LoadTarget, number: number): Promise<LoadOutcome> {
  const sentMs = performance.now();
  const body = JSON.stringify({ model: 'default', prompt: `Request ${number}`, max_tokens: maxTokens, stream: true });
  const headers = { 'content-type': 'application/json', 'x-slo-ttft-ms': sloTtftMs };
  return new Promise((resolve) => {
    let ttftMs: number | undefined;
    let isWhole = false;
    const end = (status: number, answer: Record<string, unknown> = {}) => {
      const [retryAfter, reason] = ['retry-after', 'x-hydra-reason'].map((name) => answer[name] as string | undefined);
      resolve({ sentMs, status, ttftMs, endedMs: performance.now(), isWhole, retryAfter, reason });
    };
    const outgoing = request(`${url}/v1/completions`, { method: 'POST', agent, headers }, (incoming) => {
      const lines = createInterface({ input: incoming });
      lines.on('line', (line) => {
        if (line.startsWith('data: {"id"')) ttftMs ??= performance.now() - sentMs;
        isWhole ||= line === 'data: [DONE]';
      });
      lines.on('close', () => end(incoming.statusCode ?? 0, incoming.headers));
    });
    outgoing.on('error', () => end(0));
    outgoing.end(body);
  });
}
