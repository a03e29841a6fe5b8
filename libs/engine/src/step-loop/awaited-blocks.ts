import type { EngineEvent } from '../engine.js';
import type { PrefixStore } from '../prefix/prefix-store.js';
import type { StoredBlock } from '../prefix/stored-block.js';
import type { Generation } from './generation.js';
import type { GenerationSet } from './generation-set.js';
import type { Slots } from './slots.js';

/**
 * Blocks that come from other stores and go to them. All of it happens when a message brings it: between two steps, or within one
 * that has left the thread, which touches no block.
 */
export class AwaitedBlocks {
  constructor(
    private readonly generations: GenerationSet,
    private readonly slots: Slots,
    private readonly prefixes: PrefixStore | undefined,
    private readonly listener: { onEvent(event: EngineEvent): void; onEnd(): void },
  ) {}

  /** A generation has come; where its request says who has more of its prompt than is held here, it is asked for. */
  want(generation: Generation): void {
    if (generation.request.kvSources.length === 0) return;
    const wanted = this.slots.wantedBlocks(generation.sequences[0]!); // a generation has at least one
    if (wanted === undefined) return;
    generation.awaitsBlocks = true;
    this.listener.onEvent({ kind: 'blocks-wanted', generationId: generation.id, wanted });
  }

  give(generationId: string, firstBlock: number, data: readonly Uint8Array[]): number {
    const generation = this.generations.get(generationId);
    if (generation?.awaitsBlocks !== true) return 0;
    return this.slots.give(generation.sequences[0]!, firstBlock, data);
  }

  end(generationId: string): void {
    const generation = this.generations.get(generationId);
    if (generation?.awaitsBlocks !== true) return;
    generation.awaitsBlocks = false;
    for (const sequence of generation.sequences) sequence.findableTokens = undefined; // there may be more now
    this.listener.onEnd();
  }

  held(hashes: readonly string[]): number {
    return this.prefixes?.heldBlocks(hashes) ?? 0;
  }

  read(hashes: readonly string[]): readonly StoredBlock[] {
    return this.prefixes?.read(hashes) ?? [];
  }
}
