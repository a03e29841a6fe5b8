/** One request of a trace. */
export interface TraceRequest {
  /** Arrival at the router, in seconds since the trace's start. */
  readonly timeS: number;
  readonly promptTokens: number;
  /** Known to workers, never to a strategy. At least 1. */
  readonly outputTokens: number;
  /** One id per block of the prompt, the last block may be partial; equal ids are equal prefixes. */
  readonly blockIds: readonly number[];
}

export const TRACE_FORMATS = ['mooncake', 'csv'] as const;
export type TraceFormat = (typeof TRACE_FORMATS)[number];

/** A line of a trace cannot be read; `line` counts from 1. */
export class InvalidTraceError extends Error {
  constructor(
    readonly line: number,
    expected: string,
  ) {
    super(`line ${line} of the trace: expected ${expected}`);
    this.name = 'InvalidTraceError';
  }
}

/**
 * Reads a trace, in arrival order.
 * | format | line |
 * |---|---|
 * | mooncake | `{"timestamp": ms, "input_length": tokens, "output_length": tokens, "hash_ids": [block ids]}` |
 * | csv | `timestamp_ms,input_length,output_length` in decimal, below a header with just these words; every block is unique |
 * @param blockTokens  tokens per block
 * @throws InvalidTraceError
 */
export function parseTrace(text: string, format: TraceFormat, blockTokens: number): TraceRequest[] {
  const lines = text.replace(/^\ufeff/, '').split('\n'); // a byte order mark says nothing in UTF-8
  if (format === 'csv' && lines[0]!.trim() !== CSV_HEADER) throw new InvalidTraceError(1, `the header ${CSV_HEADER}`);
  const requests: TraceRequest[] = [];
  let uniqueId = 0;
  for (const [index, line] of lines.entries()) {
    if (line.trim() === '' || (format === 'csv' && index === 0)) continue;
    const [timeMs, promptTokens, outputTokens, hashIds] =
      format === 'csv' ? fromCsv(line, index + 1) : fromJson(line, index + 1);
    if (!isWhole(promptTokens, 1) || !isWhole(outputTokens, 0) || !isTime(timeMs)) {
      throw new InvalidTraceError(
        index + 1,
        `a time up to ${LATEST_MS}, an input length of at least 1 and an output length`,
      );
    }
    const blockCount = Math.ceil(promptTokens / blockTokens);
    if (blockCount > MOST_BLOCKS) throw new InvalidTraceError(index + 1, `prompts of at most ${MOST_BLOCKS} blocks`);
    const blockIds = Array.isArray(hashIds) ? hashIds : Array.from({ length: blockCount }, () => uniqueId++);
    if (blockIds.length !== blockCount) throw new InvalidTraceError(index + 1, `${blockCount} hash_ids`);
    const timeS = timeMs / 1_000;
    if (timeS < (requests.at(-1)?.timeS ?? 0)) throw new InvalidTraceError(index + 1, 'times that do not go back');
    requests.push({ timeS, promptTokens, outputTokens: Math.max(1, outputTokens), blockIds });
  }
  if (requests.length === 0) throw new InvalidTraceError(lines.length, 'at least one request');
  return requests;
}

/** Chosen: the year 2286 where times are those of the clock; steps of microseconds are still told apart. */
const LATEST_MS = 1e13;
/** Of one prompt. Chosen: more than all workers of a simulation may hold, and far from what an array cannot. */
const MOST_BLOCKS = 10_000_000;

const CSV_HEADER = 'timestamp_ms,input_length,output_length';
const CSV_LINE = /^(\d+(?:\.\d+)?),(\d+),(\d+)$/;

function fromCsv(line: string, number: number): [number, number, number] {
  const [, timeMs, promptTokens, outputTokens] = CSV_LINE.exec(line.trim()) ?? [];
  if (timeMs === undefined) throw new InvalidTraceError(number, 'three decimal numbers, the last two of them whole');
  return [Number(timeMs), Number(promptTokens), Number(outputTokens)];
}

function fromJson(line: string, number: number): [number, number, number, readonly number[]] {
  let parsed: Record<string, unknown>;
  try {
    parsed = JSON.parse(line);
  } catch {
    throw new InvalidTraceError(number, 'JSON');
  }
  if (typeof parsed !== 'object' || parsed === null) throw new InvalidTraceError(number, 'a JSON object');
  const { timestamp, input_length, output_length, hash_ids } = parsed;
  if (!Array.isArray(hash_ids) || !hash_ids.every((id) => isWhole(id, 0))) {
    throw new InvalidTraceError(number, 'hash_ids, a list of whole numbers');
  }
  return [timestamp as number, input_length as number, output_length as number, hash_ids]; // checked by the caller
}

const isWhole = (value: unknown, least: number): value is number =>
  Number.isSafeInteger(value) && Number(value) >= least;
const isTime = (value: unknown): value is number => typeof value === 'number' && value >= 0 && value <= LATEST_MS;
