import type { PrefixLookup } from '../kv-index/kv-index.js';
import type { PlacementRequest } from '../placement-request.js';
import type { WorkerView } from '../worker-view.js';
import { commonBlocks, prefixKeysOf } from './prefix-keys.js';

/**
 * How much of a prompt each worker has when its turn comes: what it holds, or is about to compute for prompts sent before. The
 * last token is always computed: its logits are what is asked for.
 * @returns leading blocks, and the tokens they spare
 */
export function expectedPrefix(
  request: PlacementRequest,
  prefixes: PrefixLookup,
): (worker: WorkerView) => { readonly blocks: number; readonly tokens: number } {
  const keys = prefixKeysOf(request.prefixHashes);
  const heldBy = prefixes.leadingBlocks(request.prefixHashes);
  return ({ workerId, mirror, model }) => {
    let blocks = heldBy(workerId);
    for (const prompt of mirror.pending) {
      if (blocks === keys.length) break;
      blocks = Math.max(blocks, commonBlocks(keys, prompt.prefixKeys));
    }
    return { blocks, tokens: Math.max(0, Math.min(blocks * model.blockTokens, request.promptTokens - 1)) };
  };
}
