import type { PlacementRequest } from '../placement-request.js';
import type { WorkerView } from '../worker-view.js';
import type { ExpectedPrefix, Prefix } from './expected-prefix.js';

/** Blocks of a prompt that a worker can have from another one instead of computing them. */
export interface FetchOption extends Prefix {
  /** Who has them. */
  readonly source: WorkerView;
  /** Of its own the worker has so many; those from there to `blocks` are fetched. */
  readonly ownBlocks: number;
  /** Of those that are fetched. */
  readonly bytes: number;
  /** How long that takes beside what else comes to the worker or leaves the source, in milliseconds. */
  readonly fetchMs: number;
}

interface Source {
  readonly source: WorkerView;
  readonly blocks: number;
}

/** Who holds more of a prompt than a worker that it may go to. For one decision: nothing may change until it is made. */
export class BlockSources {
  /** Workers that hold some of it, the longest prefix first. */
  private ordered: readonly Source[] | undefined;

  private constructor(
    private readonly request: PlacementRequest,
    private readonly prefix: ExpectedPrefix,
    private readonly nowMs: number,
  ) {}

  /**
   * @param prefix  of all workers of the model; also those that take nothing new have what they hold
   * @returns undefined when no two of them have blocks from each other
   */
  static among(request: PlacementRequest, prefix: ExpectedPrefix, nowMs: number): BlockSources | undefined {
    let sharing = 0;
    for (const worker of prefix.workers) if (sharesBlocks(worker)) sharing++;
    if (sharing < 2 || request.prefixHashes.length === 0) return undefined;
    return new BlockSources(request, prefix, nowMs);
  }

  /** @returns undefined when nobody has more of the prompt than the worker, or it fetches nothing */
  for(worker: WorkerView): FetchOption | undefined {
    if (!sharesBlocks(worker)) return undefined;
    const { blocks: ownBlocks, tokens: ownTokens } = this.prefix.of(worker);
    const { model } = worker;
    this.ordered ??= this.inOrder();
    for (const { source, blocks } of this.ordered) {
      if (blocks <= ownBlocks) return undefined;
      const isOfSameKind =
        source.model.modelFingerprint === model.modelFingerprint && source.model.blockTokens === model.blockTokens;
      if (source.workerId === worker.workerId || !isOfSameKind) continue;
      const tokens = Math.min(blocks * model.blockTokens, this.request.promptTokens - 1);
      if (tokens <= ownTokens) return undefined;
      const bytes = (blocks - ownBlocks) * model.blockTokens * model.kvBytesPerToken;
      const fetchMs = worker.mirror.fetchTime.fetchMs(bytes + this.competingBytes(worker, source, bytes));
      return { source, blocks, tokens, ownBlocks, bytes, fetchMs };
    }
    return undefined;
  }

  /** The busier of the two links decides. */
  private competingBytes(worker: WorkerView, source: WorkerView, bytes: number): number {
    const ofLink = ({ mirror }: WorkerView) => mirror.traffic.competingBytes(bytes, this.nowMs);
    return Math.max(ofLink(worker), ofLink(source));
  }

  /** Of equals the one with the least to do comes first. */
  private inOrder(): readonly Source[] {
    const { held, workers } = this.prefix;
    const sources: Source[] = [];
    for (let place = 0; place < workers.length; place++) {
      const source = workers[place]!;
      const blocks = held[place]!;
      if (blocks > 0 && sharesBlocks(source)) sources.push({ source, blocks });
    }
    return sources.sort(
      (a, b) =>
        b.blocks - a.blocks || a.source.load - b.source.load || (a.source.workerId < b.source.workerId ? -1 : 1),
    );
  }
}

/** It serves blocks, and so fetches them, too. */
function sharesBlocks({ registration }: WorkerView): boolean {
  return registration.kvTarget !== '';
}
