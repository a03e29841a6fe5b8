import type { PrefixLookup } from '../kv-index/kv-index.js';
import type { PlacementRequest } from '../placement-request.js';
import type { WorkerView } from '../worker-view.js';
import { commonBlocks, type PrefixKeys, prefixKeysOf } from './prefix-keys.js';

/** Leading blocks of a prompt, and the tokens they spare. */
export interface Prefix {
  readonly blocks: number;
  readonly tokens: number;
}

/**
 * How much of a prompt each worker has when its turn comes: what it holds, or is about to compute for prompts sent before. The
 * last token is always computed: its logits are what is asked for. For one decision: nothing may change until it is made.
 */
export class ExpectedPrefix {
  private computedKeys: PrefixKeys | undefined;
  private heldBlocks: Uint32Array | undefined;
  private known: ReadonlyMap<string, Prefix> | undefined;

  /** @param workers  that may be asked about */
  constructor(
    private readonly request: PlacementRequest,
    readonly workers: readonly WorkerView[],
    private readonly prefixes: PrefixLookup,
  ) {}

  /** Of the prompt. */
  get keys(): PrefixKeys {
    this.computedKeys ??= prefixKeysOf(this.request.prefixHashes);
    return this.computedKeys;
  }

  of({ workerId }: WorkerView): Prefix {
    this.known ??= this.find();
    return this.known.get(workerId)!; // it is asked about its own workers
  }

  /** Leading blocks that each worker holds now, in the order of the workers. */
  get held(): Uint32Array {
    this.heldBlocks ??= this.prefixes.leadingBlocks(
      this.request.prefixHashes,
      this.workers.map(({ workerId }) => workerId),
    );
    return this.heldBlocks;
  }

  private find(): ReadonlyMap<string, Prefix> {
    const { held, keys, workers, request } = this;
    const known = new Map<string, Prefix>();
    for (let place = 0; place < workers.length; place++) {
      const { workerId, mirror, model } = workers[place]!;
      let blocks = held[place]!;
      for (const { firstKey, prefixKeys } of mirror.pending) {
        if (blocks >= keys.length) break;
        if (blocks === 0 && firstKey !== keys[0]) continue;
        if (prefixKeys.length > blocks) blocks = commonBlocks(keys, prefixKeys, blocks);
      }
      const tokens = Math.max(0, Math.min(blocks * model.blockTokens, request.promptTokens - 1));
      known.set(workerId, { blocks, tokens });
    }
    return known;
  }
}
