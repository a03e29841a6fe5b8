import { FailureCode, type GenerationRequest } from '#lib/contracts';
import { type CachedBlock, createEviction, type Eviction } from '#lib/kv';
import type { PrefillOrder } from '#lib/placement';
import { readGenerationDefaults, TokenTable } from '#lib/tokens';
import { AdapterSet } from '../adapters/adapter-set.js';
import {
  type AdapterOutcome,
  type AdapterToLoad,
  adapterRefused,
  type EngineAdapter,
} from '../adapters/engine-adapter.js';
import {
  type DescribedBlocks,
  Engine,
  type EngineDescription,
  type EngineEvent,
  type EngineState,
  type SubmitOutcome,
} from '../engine.js';
import { IDLE_STATE } from '../idle-state.js';
import type { ModelRunner } from '../model-runner.js';
import type { StoredBlock } from '../prefix/stored-block.js';
import { checkRequest, refused } from './refusal.js';
import { StepLoop } from './step-loop.js';

/** A model that is ready to run. */
export interface LoadedModel {
  readonly description: Omit<EngineDescription, 'model'> & {
    /** In which order prompts are computed is not the model's matter. */
    readonly model: Omit<EngineDescription['model'], 'prefillOrder'>;
  };
  readonly runner: ModelRunner;
  /** As in `KvLayout`. Default: blocks of any kernels are equal. */
  readonly kernels?: string;
}

export interface StepLoopEngineOptions {
  /** Loads the model; called at each start. Rejects with a sentence for people. */
  readonly load: (signal: AbortSignal) => Promise<LoadedModel>;
  /** Generations that may wait for a slot; further ones are refused as saturated. */
  readonly waitingGenerations: number;
  /** Whether computed prefixes are kept for later requests, where the runner has room for them. Default true. */
  readonly keepsPrefixes?: boolean;
  /** Which of them go first. Default `lru`. */
  readonly prefixEviction?: Eviction;
  /** In which order sequences get slots and prompts are computed. Default `fifo`. */
  readonly prefillOrder?: PrefillOrder;
}

interface Running {
  readonly loop: StepLoop;
  readonly model: LoadedModel;
  /** Where the runner has room for them. */
  readonly adapters: AdapterSet | undefined;
  /** Ends what is being loaded. */
  readonly abort: AbortController;
  readonly ended: Promise<void>;
}

/** An engine of our own: the step loop over a model runner, in the thread that made it. */
export class StepLoopEngine extends Engine {
  private listener: (event: EngineEvent) => void = () => {};
  private running: Running | undefined;
  private description: EngineDescription | undefined;
  private lastState: EngineState = IDLE_STATE;

  constructor(private readonly options: StepLoopEngineOptions) {
    super();
  }

  override async start(signal: AbortSignal): Promise<void> {
    if (this.running !== undefined) throw new Error('The engine is running already.');
    const model = await this.options.load(signal);
    const { textFiles } = model.description;
    const table = TokenTable.fromFiles(textFiles);
    const { eosTokenIds } = readGenerationDefaults(textFiles, table.eosTokenId);
    const { waitingGenerations, keepsPrefixes = true, prefixEviction = 'lru', prefillOrder = 'fifo' } = this.options;
    const { modelFingerprint } = model.description.model;
    const policy = createEviction(prefixEviction, ({ hash }: CachedBlock) => hash);
    const loop = new StepLoop(
      model.runner,
      { table, eosTokenIds },
      {
        waitingGenerations,
        prefillOrder,
        prefixes: keepsPrefixes ? { modelFingerprint, policy } : undefined,
        onEvent: (event) => {
          this.listener(event);
          if (event.kind === 'finished' || event.kind === 'failed') void adapters?.settle();
        },
      },
    );
    const room = model.runner.adapters;
    const adapters =
      room &&
      new AdapterSet(
        room,
        (adapter) => loop.uses(adapter),
        (loaded) => this.listener({ kind: 'adapters', adapters: loaded }),
      );
    this.description = {
      ...model.description,
      model: { ...model.description.model, prefillOrder },
      mostAdapters: room === undefined ? 0 : room.slots - 1,
      blocks: keepsPrefixes ? describedBlocks(model) : undefined,
    };
    const ended = loop.run().catch((error: unknown) => this.lose(loop, model, error));
    this.running = { loop, model, adapters, abort: new AbortController(), ended };
  }

  override describe(): EngineDescription {
    if (this.description === undefined) throw new Error('The engine has not been started.');
    return this.description;
  }

  override submit(request: GenerationRequest): SubmitOutcome {
    if (this.running === undefined) {
      return { ...refused(FailureCode.ENGINE_ERROR, 'The engine does not run.'), retryAfterMs: 1_000 };
    }
    const { loop, model, adapters } = this.running;
    const checked = checkRequest(request, {
      model: model.description.model,
      contextTokens: loop.contextTokens,
      findAdapter: (adapterId) => adapters?.find(adapterId),
    });
    return 'kind' in checked ? checked : loop.submit(checked);
  }

  override cancel(generationId: string): void {
    this.running?.loop.cancel(generationId);
  }

  override credit(generationId: string, tokens: number): void {
    this.running?.loop.credit(generationId, tokens);
  }

  override handBack(): void {
    this.running?.loop.handBack();
  }

  override async loadAdapter(adapter: AdapterToLoad): Promise<AdapterOutcome> {
    const { running } = this;
    if (running === undefined) return adapterRefused('unavailable', 'The engine does not run.');
    return running.adapters?.load(adapter, running.abort.signal) ?? super.loadAdapter(adapter);
  }

  override async unloadAdapter(adapterId: string, timeoutMs: number): Promise<AdapterOutcome> {
    const { running } = this;
    if (running?.adapters === undefined) return super.unloadAdapter(adapterId, timeoutMs);
    return running.adapters.unload(adapterId, AbortSignal.any([running.abort.signal, AbortSignal.timeout(timeoutMs)]));
  }

  override adapters(): readonly EngineAdapter[] {
    return this.running?.adapters?.list() ?? [];
  }

  override async heldBlocks(hashes: readonly string[]): Promise<number> {
    return this.running?.loop.blocks.held(hashes) ?? 0;
  }

  override async readBlocks(hashes: readonly string[]): Promise<readonly StoredBlock[]> {
    return this.running?.loop.blocks.read(hashes) ?? [];
  }

  override async giveBlocks(generationId: string, firstBlock: number, data: readonly Uint8Array[]): Promise<number> {
    return this.running?.loop.blocks.give(generationId, firstBlock, data) ?? 0;
  }

  override endBlocks(generationId: string): void {
    this.running?.loop.blocks.end(generationId);
  }

  override onEvent(listener: (event: EngineEvent) => void): void {
    this.listener = listener;
  }

  override state(): EngineState {
    return this.running?.loop.state() ?? this.lastState;
  }

  override async stop(): Promise<void> {
    const { running } = this;
    if (running === undefined) return;
    running.loop.close();
    await running.ended;
    if (this.running !== running) return; // it broke meanwhile, or another `stop` was first
    this.end(running.loop, 'The engine was stopped.');
    await running.model.runner.close();
  }

  /** The runner broke: what it holds is not to be trusted any more. */
  private async lose(loop: StepLoop, model: LoadedModel, error: unknown): Promise<void> {
    const message = `The engine failed: ${error instanceof Error ? error.message : String(error)}`;
    this.end(loop, message);
    await model.runner.close().catch(() => {}); // it is broken: that it cannot be closed properly is no news
    this.listener({ kind: 'engine-lost', message });
  }

  private end(loop: StepLoop, message: string): void {
    this.running?.abort.abort(new Error(message));
    this.running = undefined;
    loop.failAll(message);
    this.lastState = loop.state();
  }
}

function describedBlocks({ runner, kernels = '' }: LoadedModel): DescribedBlocks | undefined {
  const exchange = runner.blocks?.exchange;
  if (exchange === undefined) return undefined;
  const { blockBytes, dtype, axes } = exchange; // plain data: it crosses threads
  return { blockBytes, dtype, axes, kernels };
}
