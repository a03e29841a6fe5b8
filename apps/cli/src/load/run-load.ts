import { streamCompletion, textOf } from '../client/openai-stream.js';
import { type Percentiles, percentiles } from './percentiles.js';
import { promptOf } from './prompt-of.js';

export interface LoadOptions {
  /** Base URL without `/v1`. */
  readonly url: string;
  readonly model: string;
  /** Streams at once. */
  readonly concurrency: number;
  /** Requests in all, beside one warm-up per stream. */
  readonly requests: number;
  readonly promptWords: number;
  readonly maxTokens: number;
  readonly signal: AbortSignal;
}

export interface LoadResult {
  readonly concurrency: number;
  readonly requests: number;
  readonly failedRequests: number;
  /** The first failure, in the server's words. */
  readonly firstError?: string;
  readonly ttftMs: Percentiles;
  readonly itlMs: Percentiles;
  readonly e2eMs: Percentiles;
  readonly outputTokens: number;
  readonly tokensPerSecond: number;
  readonly requestsPerSecond: number;
}

interface Sample {
  readonly ttftMs: number;
  readonly itlMs: readonly number[];
  readonly e2eMs: number;
  readonly outputTokens: number;
}

/** Sends requests at a fixed concurrency (closed loop) and measures each stream at the client. */
export async function runLoad(options: LoadOptions): Promise<LoadResult> {
  const { concurrency, requests, signal } = options;
  await inParallel(concurrency, concurrency, (i) => sample(options, -1 - i).catch(() => undefined));

  const samples: Sample[] = [];
  const errors: string[] = [];
  const startMs = performance.now();
  await inParallel(concurrency, requests, async (i) => {
    signal.throwIfAborted();
    try {
      samples.push(await sample(options, i));
    } catch (error) {
      errors.push((error as Error).message);
    }
  });
  const seconds = (performance.now() - startMs) / 1000;
  const outputTokens = samples.reduce((sum, each) => sum + each.outputTokens, 0);
  return {
    concurrency,
    requests,
    failedRequests: errors.length,
    ...(errors[0] === undefined ? {} : { firstError: errors[0] }),
    ttftMs: percentiles(samples.map((each) => each.ttftMs)),
    itlMs: percentiles(samples.flatMap((each) => each.itlMs)),
    e2eMs: percentiles(samples.map((each) => each.e2eMs)),
    outputTokens,
    tokensPerSecond: outputTokens / seconds,
    requestsPerSecond: samples.length / seconds,
  };
}

async function inParallel(width: number, count: number, work: (i: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const lane = async () => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: Math.min(width, count) }, lane));
}

async function sample({ url, model, promptWords, maxTokens, signal }: LoadOptions, number: number): Promise<Sample> {
  const startMs = performance.now();
  const body = {
    model,
    prompt: promptOf(promptWords, number),
    max_tokens: maxTokens,
    temperature: 0,
    ignore_eos: true,
  };
  const arrivals: number[] = [];
  let outputTokens = 0;
  for await (const chunk of streamCompletion(`${url}/v1/completions`, body, signal)) {
    if (textOf(chunk) !== '') arrivals.push(performance.now());
    outputTokens = chunk.usage?.completion_tokens ?? outputTokens;
  }
  const endMs = performance.now();
  const first = arrivals[0] ?? endMs;
  return {
    ttftMs: first - startMs,
    itlMs: arrivals.slice(1).map((at, i) => at - (arrivals[i] as number)),
    e2eMs: endMs - startMs,
    outputTokens,
  };
}
