import type { PrefixLookup } from '../kv-index/kv-index.js';
import type { PlacementRequest } from '../placement-request.js';
import { shortHash } from '../short-hash.js';
import type { WorkerView } from '../worker-view.js';

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
  private heldBlocks: readonly number[] | undefined;
  private known: readonly Prefix[] | undefined;

  /** @param workers  that may be asked about: all of the model, each in its place */
  constructor(
    private readonly request: PlacementRequest,
    readonly workers: readonly WorkerView[],
    private readonly prefixes: PrefixLookup,
  ) {}

  /** @throws when it is not among the workers */
  of(worker: WorkerView): Prefix {
    this.known ??= this.find();
    const { place, workerId } = worker;
    if (this.workers[place] !== worker) throw new Error(`${workerId} is not among the workers asked about`);
    return this.known[place]!; // there is one for each
  }

  /** Leading blocks that each worker holds now, in the order of the workers. */
  get held(): readonly number[] {
    this.heldBlocks ??= this.prefixes.leadingBlocks(this.request.prefixHashes, this.workers);
    return this.heldBlocks;
  }

  private find(): readonly Prefix[] {
    const { held, workers, request } = this;
    const { prefixHashes } = request;
    const first = prefixHashes.length === 0 ? undefined : shortHash(prefixHashes, 0);
    const known: Prefix[] = [];
    for (let place = 0; place < workers.length; place++) {
      const { mirror, model } = workers[place]!;
      let blocks = held[place]!;
      const { pending, pendingFirstKeys } = mirror;
      for (let index = 0; index < pending.length; index++) {
        if (blocks >= prefixHashes.length) break;
        // Most prompts differ in the first block already, and hashes of all that are pending do not fit into a processor's cache.
        if (pendingFirstKeys[index] !== first) continue;
        const { prefixHashes: sent } = pending[index]!;
        if (sent.length > blocks) blocks = prefixHashes.commonBlocks(sent, blocks);
      }
      const tokens = Math.max(0, Math.min(blocks * model.blockTokens, request.promptTokens - 1));
      known.push({ blocks, tokens });
    }
    return known;
  }
}
