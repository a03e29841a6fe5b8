import type { TraceRequest } from './trace.js';

/** Blocks that occur in at least this share of the requests are one for all copies: what every user of a product shares. */
const SHARED_BLOCK_SHARE = 0.05;

export interface ScaledTrace {
  /** In order of arrival. */
  readonly requests: readonly TraceRequest[];
  /** Length of the trace after scaling, in seconds. */
  readonly durationS: number;
}

/**
 * Makes a trace heavier without changing its shape. Copy c of C is shifted by `c · duration / C` and wraps round; then all times
 * are divided by `speedup`. Block ids are private to a copy, except the shared ones. Ties keep the copies' order.
 */
export function scaleTrace(trace: readonly TraceRequest[], copies: number, speedup: number): ScaledTrace {
  const requests = idsOf(trace) * copies > Number.MAX_SAFE_INTEGER ? renumbered(trace) : trace;
  const lastS = requests.at(-1)?.timeS ?? 0;
  const durationS = lastS * (1 + 1 / Math.max(1, requests.length - 1));
  const shared = sharedBlocks(requests);
  const stride = idsOf(requests);
  const scaled: TraceRequest[] = [];
  for (let copy = 0; copy < copies; copy++) {
    for (const request of requests) {
      const shiftedS = request.timeS + (copy * durationS) / copies;
      const timeS = (durationS > 0 ? shiftedS % durationS : 0) / speedup;
      const blockIds =
        copy === 0 ? request.blockIds : request.blockIds.map((id) => (shared.has(id) ? id : id + copy * stride));
      scaled.push({ ...request, timeS, blockIds });
    }
  }
  scaled.sort((a, b) => a.timeS - b.timeS);
  return { requests: scaled, durationS: durationS / speedup };
}

/** One more than the highest id. */
function idsOf(requests: readonly TraceRequest[]): number {
  return requests.reduce((most, { blockIds }) => blockIds.reduce((a, b) => Math.max(a, b), most), 0) + 1;
}

/** The same blocks under ids from 0: those of a trace may be so high that the ones of its copies would not be whole numbers any more. */
function renumbered(requests: readonly TraceRequest[]): TraceRequest[] {
  const ids = new Map<number, number>();
  const idOf = (id: number) => {
    if (!ids.has(id)) ids.set(id, ids.size);
    return ids.get(id) as number;
  };
  return requests.map((request) => ({ ...request, blockIds: request.blockIds.map(idOf) }));
}

function sharedBlocks(requests: readonly TraceRequest[]): ReadonlySet<number> {
  const counts = new Map<number, number>();
  for (const { blockIds } of requests) for (const id of new Set(blockIds)) counts.set(id, (counts.get(id) ?? 0) + 1);
  const least = SHARED_BLOCK_SHARE * requests.length;
  return new Set([...counts].filter(([, count]) => count >= least).map(([id]) => id));
}
