import { FailureCode, type GenerationRequest } from '#lib/contracts';
import {
  type AdapterOutcome,
  type AdapterToLoad,
  type EmbeddingOutcome,
  type EmbeddingRequest,
  Engine,
  type EngineAdapter,
  type EngineDescription,
  type EngineEvent,
  type EngineRefusal,
  type EngineState,
  IDLE_STATE,
  type StoredBlock,
  type SubmitOutcome,
} from '#lib/engine';
import { collectGarbage } from '../lifecycle/collect-garbage.js';

const NOT_PREPARED: EngineRefusal = {
  kind: 'refused',
  code: FailureCode.ENGINE_ERROR,
  message: 'The model is still being prepared.',
  retryAfterMs: 1_000,
};

/** An engine whose model is brought before its first start: pulled, compiled. Until then it refuses. */
export class PreparedEngine extends Engine {
  private engine: Engine | undefined;
  private listener: (event: EngineEvent) => void = () => {};

  /** @param prepare  rejects with a sentence for people */
  constructor(private readonly prepare: (signal: AbortSignal) => Promise<Engine>) {
    super();
  }

  override async start(signal: AbortSignal): Promise<void> {
    if (this.engine !== undefined) return this.engine.start(signal);
    const engine = await this.prepare(signal);
    engine.onEvent(this.listener);
    this.engine = engine;
    const started = engine.start(signal);
    collectGarbage(); // while its thread loads the model, and nobody is served yet
    await started;
  }

  override describe(): EngineDescription {
    if (this.engine === undefined) throw new Error('The engine has not been started.');
    return this.engine.describe();
  }

  override submit(request: GenerationRequest): SubmitOutcome {
    if (this.engine !== undefined) return this.engine.submit(request);
    return NOT_PREPARED;
  }

  override cancel(generationId: string, reason: string): void {
    this.engine?.cancel(generationId, reason);
  }

  override credit(generationId: string, tokens: number): void {
    this.engine?.credit(generationId, tokens);
  }

  override handBack(): void {
    this.engine?.handBack();
  }

  override embed(request: EmbeddingRequest, signal: AbortSignal): Promise<EmbeddingOutcome> {
    return this.engine?.embed(request, signal) ?? Promise.resolve(NOT_PREPARED);
  }

  override loadAdapter(adapter: AdapterToLoad): Promise<AdapterOutcome> {
    return this.engine?.loadAdapter(adapter) ?? super.loadAdapter(adapter);
  }

  override unloadAdapter(adapterId: string, timeoutMs: number): Promise<AdapterOutcome> {
    return this.engine?.unloadAdapter(adapterId, timeoutMs) ?? super.unloadAdapter(adapterId, timeoutMs);
  }

  override adapters(): readonly EngineAdapter[] {
    return this.engine?.adapters() ?? [];
  }

  override heldBlocks(hashes: readonly string[]): Promise<number> {
    return this.engine?.heldBlocks(hashes) ?? super.heldBlocks(hashes);
  }

  override readBlocks(hashes: readonly string[]): Promise<readonly StoredBlock[]> {
    return this.engine?.readBlocks(hashes) ?? super.readBlocks(hashes);
  }

  override giveBlocks(
    generationId: string,
    firstBlock: number,
    data: readonly Uint8Array<ArrayBuffer>[],
  ): Promise<number> {
    return this.engine?.giveBlocks(generationId, firstBlock, data) ?? super.giveBlocks(generationId, firstBlock, data);
  }

  override endBlocks(generationId: string): void {
    this.engine?.endBlocks(generationId);
  }

  override onEvent(listener: (event: EngineEvent) => void): void {
    this.listener = listener;
    this.engine?.onEvent(listener);
  }

  override state(): EngineState {
    return this.engine?.state() ?? IDLE_STATE;
  }

  override async stop(): Promise<void> {
    await this.engine?.stop();
  }
}
