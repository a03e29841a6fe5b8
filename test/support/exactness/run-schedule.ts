import type { DecodeRow, EngineState, LoopSnapshot, ModelRunner, PrefillChunk, Prompt } from '#lib/engine';
import { StepLoop, violations } from '#lib/engine';
import { EventLog, type GenerationOutcome } from '../../../libs/engine/testing/event-log.js';
import { requestOf } from '../../../libs/engine/testing/requests.js';
import type { LoadedModel } from './loaded-model.js';
import type { Command, ScheduledRequest } from './schedule.js';

/** Turns of the event loop without a pass after which a loop has nothing to do: it needs two between passes. */
const IDLE_TURNS = 8;

export interface ScheduleResult {
  /** In the order of the schedule's requests. */
  readonly outcomes: readonly { readonly request: ScheduledRequest; readonly outcome: GenerationOutcome }[];
  readonly state: EngineState;
  readonly passes: PassCounts;
  /** Sentences of broken invariants, looked at in each pass. */
  readonly broken: readonly string[];
}

export interface PassCounts {
  /** Chunks that are not the first of their prompt. */
  laterChunks: number;
  copies: number;
  moves: number;
  /** Runs of several prompts. */
  promptRuns: number;
}

/**
 * Runs a schedule on the real step loop. Commands take effect while the pass is in flight before which they stand, so that a
 * schedule is the same one however fast the machine is; where the loop has nothing to do, the next one comes at once.
 */
export async function runSchedule(
  runner: ModelRunner,
  text: LoadedModel['text'],
  schedule: readonly Command[],
): Promise<ScheduleResult> {
  const log = new EventLog();
  const broken: string[] = [];
  const watched = new WatchedRunner(runner, () => broken.push(...violations(snapshot())));
  const loop: StepLoop = new StepLoop(watched, text, {
    waitingGenerations: 64,
    headroomTokens: 0, // admits as many as it can, so that they have to be preempted
    prefixes: { modelFingerprint: 'model' },
    onEvent: log.listener,
  });
  const snapshot = (): LoopSnapshot => loop.snapshot();
  const ended = loop.run();
  const taken: { id: string; request: ScheduledRequest }[] = [];
  for (const command of schedule) {
    const target =
      command.kind === 'cancel' || command.kind === 'credit' ? taken[command.which % taken.length] : undefined;
    switch (command.kind) {
      case 'submit': {
        const { request } = command;
        const full = requestOf(request);
        const outcome = loop.submit({ ...full, sampling: full.sampling!, stop: full.stop! });
        if (outcome.kind === 'refused') throw new Error(outcome.message);
        taken.push({ id: full.generationId, request });
        break;
      }
      case 'cancel':
        if (target !== undefined) loop.cancel(target.id);
        break;
      case 'credit':
        if (target !== undefined) loop.credit(target.id, command.tokens);
        break;
      case 'passes':
        await watched.untilPasses(command.count);
        break;
      default:
        command satisfies never;
    }
  }
  for (const { id } of taken) loop.credit(id, 100_000);
  await Promise.race([Promise.all(taken.map(({ id }) => log.end(id))), ended]);
  const state = loop.state();
  loop.close();
  await ended;
  const outcomes = taken.map(({ id, request }) => ({ request, outcome: log.of(id) }));
  return { outcomes, state, passes: watched.counts, broken };
}

/** One request on a loop of its own. */
export async function runAlone(
  runner: ModelRunner,
  text: LoadedModel['text'],
  request: ScheduledRequest,
): Promise<GenerationOutcome> {
  const whole = { ...request, initialCredit: 100_000 };
  return (await runSchedule(runner, text, [{ kind: 'submit', request: whole }])).outcomes[0]!.outcome;
}

/** The runner, but for all that spares computing: every sequence computes its whole prompt by itself. */
export function withoutCopies(runner: ModelRunner): ModelRunner {
  return {
    limits: { ...runner.limits, promptRun: undefined },
    prefill: (chunk) => runner.prefill(chunk),
    decode: (rows) => runner.decode(rows),
    closeSlot: (slot) => runner.closeSlot?.(slot),
    close: async () => {},
  };
}

/** Counts passes and lets others wait for them. */
class WatchedRunner implements ModelRunner {
  readonly counts: PassCounts = { laterChunks: 0, copies: 0, moves: 0, promptRuns: 0 };
  readonly copySlot?: ModelRunner['copySlot'];
  readonly moveSlot?: ModelRunner['moveSlot'];
  readonly trimSlot?: ModelRunner['trimSlot'];
  private passes = 0;
  private isRunning = false;

  constructor(
    private readonly runner: ModelRunner,
    private readonly onPass: () => void,
  ) {
    const { copySlot, moveSlot } = runner;
    if (runner.trimSlot !== undefined) this.trimSlot = (slot, tokens) => runner.trimSlot?.(slot, tokens);
    if (copySlot !== undefined) {
      this.copySlot = (copy) => {
        this.counts.copies++;
        copySlot(copy);
      };
    }
    if (moveSlot !== undefined) {
      this.moveSlot = (move) => {
        this.counts.moves++;
        moveSlot(move);
      };
    }
  }

  get limits() {
    return this.runner.limits;
  }

  get blocks() {
    return this.runner.blocks;
  }

  async prefill(chunk: PrefillChunk) {
    if (chunk.position > 0) this.counts.laterChunks++;
    return this.pass(() => this.runner.prefill(chunk));
  }

  async prefillTogether(prompts: readonly Prompt[]) {
    this.counts.promptRuns++;
    return this.pass(() => this.runner.prefillTogether!(prompts));
  }

  async decode(rows: readonly DecodeRow[]) {
    return this.pass(() => this.runner.decode(rows));
  }

  closeSlot(slot: number): void {
    this.runner.closeSlot?.(slot);
  }

  async close(): Promise<void> {}

  /** Resolves within the pass, or when there are no more of them. */
  async untilPasses(count: number): Promise<void> {
    const wanted = this.passes + count;
    for (let idleTurns = 0; this.passes < wanted && idleTurns < IDLE_TURNS; ) {
      idleTurns = this.isRunning ? 0 : idleTurns + 1;
      await turn();
    }
  }

  private async pass<T>(run: () => Promise<T>): Promise<T> {
    this.onPass();
    this.isRunning = true;
    this.passes++;
    await turn(); // who waits for this pass looks in this turn
    await turn();
    try {
      return await run();
    } finally {
      this.isRunning = false;
    }
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
