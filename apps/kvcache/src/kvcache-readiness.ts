import { Injectable } from '@nestjs/common';
import { Readiness, type ReadinessState } from '#lib/observability';
import { BlockTiers } from './block-tiers.js';

/** Ready until it shuts down: without Redis it has its memory, and an empty cache is one too. */
@Injectable()
export class KvcacheReadiness extends Readiness {
  constructor(private readonly tiers: BlockTiers) {
    super();
  }

  override check(): ReadinessState {
    const { isClosing, memory } = this.tiers;
    const mebibytes = (bytes: number) => Math.round(bytes / 1_048_576);
    const held = `${memory.heldBlocks} blocks, ${mebibytes(memory.heldBytes)} of ${mebibytes(memory.capacityBytes)} MiB`;
    const detail = isClosing ? 'shutting down' : held;
    return { isStarted: true, isReady: !isClosing, detail };
  }
}
