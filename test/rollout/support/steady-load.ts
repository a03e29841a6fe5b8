import { setTimeout as sleep } from 'node:timers/promises';
import { type Ask, overGrpc, overGrpcStreamed, overRest, overRestStreamed } from './answers.js';
import type { AppProcess } from './app-process.js';

/** What became of one request. Times are of `performance.now()`. */
export interface Outcome {
  readonly way: string;
  readonly model: string;
  readonly gateway: string;
  readonly sentMs: number;
  readonly endedMs: number;
  /** Time to the first token; undefined for answers that are not streamed. */
  readonly ttftMs: number | undefined;
  /** What the client saw instead of an answer. */
  readonly failure: string | undefined;
  /** It ended well, but with fewer tokens than asked for or without its end. */
  readonly isTruncated: boolean;
}

export interface Lane {
  readonly way: keyof typeof WAYS;
  readonly model: string;
}

const WAYS = {
  'REST stream': overRestStreamed,
  'REST whole': overRest,
  'gRPC stream': overGrpcStreamed,
  'gRPC whole': overGrpc,
} as const satisfies Record<string, Ask>;

/** Lengths of answers: short ones that come and go, and ones that run through a restart. */
const OUTPUT_TOKENS = [3, 8, 40, 16, 400, 24, 5];

/** Of a lane, so that an outage is counted and not spun through, in milliseconds. */
const PAUSE_AFTER_FAILURE_MS = 100;

/** Lanes that ask one request after another until stopped. No request is repeated: what fails once has failed. */
export class SteadyLoad {
  readonly outcomes: Outcome[] = [];
  private isOver = false;
  private readonly running: Promise<void>[];
  private count = 0;

  /** @param next  the gateway to ask; throws when there is none */
  constructor(
    lanes: readonly Lane[],
    private readonly next: () => AppProcess,
  ) {
    this.running = lanes.map((lane) => this.run(lane));
  }

  /** Resolves when what runs has ended. */
  async stop(): Promise<void> {
    this.isOver = true;
    await Promise.all(this.running);
  }

  private async run(lane: Lane): Promise<void> {
    while (!this.isOver) {
      const outcome = await this.ask(lane);
      this.outcomes.push(outcome);
      if (outcome.failure !== undefined) await sleep(PAUSE_AFTER_FAILURE_MS);
    }
  }

  private async ask({ way, model }: Lane): Promise<Outcome> {
    const number = this.count++;
    const maxTokens = OUTPUT_TOKENS[number % OUTPUT_TOKENS.length] ?? 8;
    const sentMs = performance.now();
    let gateway = 'none';
    try {
      const chosen = this.next();
      gateway = chosen.name;
      const answer = await WAYS[way](chosen, { model, prompt: `request ${number}: once upon a time`, maxTokens });
      const isTruncated = !answer.isWhole || answer.tokens !== maxTokens;
      const ttftMs = answer.firstTokenMs === undefined ? undefined : answer.firstTokenMs - sentMs;
      return { way, model, gateway, sentMs, endedMs: performance.now(), ttftMs, failure: undefined, isTruncated };
    } catch (error) {
      const failure = error instanceof Error ? error.message : String(error);
      const endedMs = performance.now();
      return { way, model, gateway, sentMs, endedMs, ttftMs: undefined, failure, isTruncated: false };
    }
  }
}
