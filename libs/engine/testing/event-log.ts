import type { FinishReason, GenerationUsage, PositionLogprobs } from '#lib/contracts';
import type { Engine, EngineEvent } from '../src/engine.js';
import type { PrefixChange } from '../src/prefix/prefix-change.js';

/** What came of one sequence. */
export interface SequenceOutcome {
  readonly tokenIds: number[];
  text: string;
  finishReason: FinishReason | undefined;
  stopMatch: string;
  readonly logprobs: PositionLogprobs[];
  readonly promptLogprobs: PositionLogprobs[];
}

/** What came of one generation. */
export interface GenerationOutcome {
  readonly sequences: Map<number, SequenceOutcome>;
  usage: GenerationUsage | undefined;
  failure: (EngineEvent & { kind: 'failed' }) | undefined;
  /** `finished` and `failed` events: one, in the end. */
  ends: number;
  /** Entries that came after the end: none. */
  lateEntries: number;
}

/** Listens to an engine and sorts what it says by generation. */
export class EventLog {
  readonly outcomes = new Map<string, GenerationOutcome>();
  readonly steps: (EngineEvent & { kind: 'step' })[] = [];
  readonly wanted: (EngineEvent & { kind: 'blocks-wanted' })[] = [];
  /** Hashes of what the prefix store holds, by its changes; a change that does not fit is an error. */
  readonly cachedHashes = new Set<string>();
  isEngineLost = false;
  private waiters: (() => void)[] = [];

  constructor(engine?: Engine) {
    engine?.onEvent(this.listener);
  }

  readonly listener = (event: EngineEvent): void => {
    this.receive(event);
    for (const waiter of this.waiters.splice(0)) waiter();
  };

  of(generationId: string): GenerationOutcome {
    let outcome = this.outcomes.get(generationId);
    if (outcome === undefined) {
      outcome = { sequences: new Map(), usage: undefined, failure: undefined, ends: 0, lateEntries: 0 };
      this.outcomes.set(generationId, outcome);
    }
    return outcome;
  }

  sequence(generationId: string, index = 0): SequenceOutcome {
    return this.of(generationId).sequences.get(index) ?? emptySequence();
  }

  /** Resolves when `check` holds, looked at after each event. */
  async until(check: () => boolean): Promise<void> {
    while (!check()) await new Promise<void>((resolve) => this.waiters.push(resolve));
  }

  async end(generationId: string): Promise<GenerationOutcome> {
    await this.until(() => this.of(generationId).ends > 0);
    return this.of(generationId);
  }

  private receive(event: EngineEvent): void {
    if (event.kind === 'engine-lost') {
      this.isEngineLost = true;
      return;
    }
    if (event.kind === 'step') {
      this.steps.push(event);
      for (const entry of event.entries) {
        const outcome = this.of(entry.generationId);
        if (outcome.ends > 0) outcome.lateEntries++;
        const sequence = outcome.sequences.get(entry.sequenceIndex) ?? emptySequence();
        outcome.sequences.set(entry.sequenceIndex, sequence);
        sequence.tokenIds.push(...entry.tokenIds);
        sequence.text += entry.text;
        sequence.logprobs.push(...entry.logprobs);
        sequence.promptLogprobs.push(...entry.promptLogprobs);
        sequence.finishReason = entry.finishReason || undefined;
        sequence.stopMatch = entry.stopMatch;
      }
      return;
    }
    if (event.kind === 'prefix') {
      this.follow(event.change);
      return;
    }
    if (event.kind === 'blocks-wanted') {
      this.wanted.push(event);
      return;
    }
    if (event.kind === 'adapters') return;
    const outcome = this.of(event.generationId);
    outcome.ends++;
    if (event.kind === 'finished') outcome.usage = event.usage;
    else outcome.failure = event;
  }

  private follow(change: PrefixChange): void {
    const { cachedHashes } = this;
    if (change.kind === 'stored' && change.parentHash !== undefined && !cachedHashes.has(change.parentHash)) {
      throw new Error(`blocks are stored behind ${change.parentHash}, which is not held`);
    }
    for (const hash of change.hashes) {
      if (cachedHashes.has(hash) === (change.kind === 'stored')) throw new Error(`${hash} is ${change.kind} twice`);
      if (change.kind === 'stored') cachedHashes.add(hash);
      else cachedHashes.delete(hash);
    }
  }
}

function emptySequence(): SequenceOutcome {
  return { tokenIds: [], text: '', finishReason: undefined, stopMatch: '', logprobs: [], promptLogprobs: [] };
}
