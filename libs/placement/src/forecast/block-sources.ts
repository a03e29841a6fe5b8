import type { CacheFleet } from '../caches/cache-fleet.js';
import type { PromptInCaches } from '../caches/prompt-in-caches.js';
import type { PlacementRequest } from '../placement-request.js';
import type { WorkerView } from '../worker-view.js';
import type { ExpectedPrefix, Prefix } from './expected-prefix.js';
import type { LinkTraffic } from './link-traffic.js';

/** Blocks of a prompt, one behind the other, that are fetched from one holder. */
export interface FetchPart {
  /** The worker's id, or the cache's. */
  readonly holderId: string;
  /** gRPC target of its `KvBlocks`. */
  readonly target: string;
  /** What leaves it. */
  readonly traffic: LinkTraffic;
  readonly firstBlock: number;
  /** The one behind the last. */
  readonly endBlock: number;
  readonly bytes: number;
}

/** Blocks of a prompt that a worker can have from elsewhere instead of computing them. */
export interface FetchOption extends Prefix {
  /** What has them. */
  readonly from: 'worker' | 'kvcache';
  /** In the order of the prompt: one of another worker, or some of caches. */
  readonly parts: readonly FetchPart[];
  /** Of its own the worker has so many; those from there to `blocks` are fetched. */
  readonly ownBlocks: number;
  /** Of those that are fetched. */
  readonly bytes: number;
  /** How long that takes beside what else comes to the worker or leaves the holders, in milliseconds. */
  readonly fetchMs: number;
  /** The worker fetches them, whatever it is told: computing them is no choice. */
  readonly isCertain: boolean;
}

interface Parts {
  readonly parts: readonly FetchPart[];
  /** Of all of them. */
  readonly bytes: number;
  /** What others have on its way from those who hold them. */
  readonly competingBytes: number;
}

interface Source {
  readonly source: WorkerView;
  readonly blocks: number;
}

/** Who holds more of a prompt than a worker that it may go to. For one decision: nothing may change until it is made. */
export class BlockSources {
  /** Workers that hold some of it, the longest prefix first. */
  private ordered: readonly Source[] | undefined;
  /** By the layout of those who would fetch them. */
  private readonly prompts = new Map<string, PromptInCaches>();
  /** By the layout, the first block that is wanted, and the bytes of a block. */
  private readonly fromCache = new Map<string, Parts>();

  private constructor(
    private readonly request: PlacementRequest,
    private readonly prefix: ExpectedPrefix,
    private readonly caches: CacheFleet | undefined,
    private readonly nowMs: number,
  ) {}

  /**
   * @param prefix  of all workers of the model; also those that take nothing new have what they hold
   * @param caches  absent where there are none to be known
   * @returns undefined when none of them has blocks from elsewhere
   */
  static among(
    request: PlacementRequest,
    prefix: ExpectedPrefix,
    caches: CacheFleet | undefined,
    nowMs: number,
  ): BlockSources | undefined {
    let sharing = 0;
    for (const worker of prefix.workers) if (sharesBlocks(worker)) sharing++;
    const fewest = (caches?.heldBlocks ?? 0) > 0 ? 1 : 2;
    if (sharing < fewest || request.prefixHashes.length === 0) return undefined;
    return new BlockSources(request, prefix, caches, nowMs);
  }

  /**
   * What a worker may fetch: from the caches, and from the other worker that holds most of the prompt; none where that is not more than it has. Caches
   * come first, so that of equals they are asked: they compute nothing meanwhile.
   */
  optionsFor(worker: WorkerView): readonly FetchOption[] {
    if (!sharesBlocks(worker)) return [];
    const options: FetchOption[] = [];
    for (const option of [this.fromCaches(worker), this.fromWorker(worker)]) if (option) options.push(option);
    return options;
  }

  private fromWorker(worker: WorkerView): FetchOption | undefined {
    const { blocks: ownBlocks } = this.prefix.of(worker);
    const { model } = worker;
    this.ordered ??= this.inOrder();
    for (const { source, blocks } of this.ordered) {
      if (blocks <= ownBlocks) return undefined;
      const isOfSameKind =
        source.model.modelFingerprint === model.modelFingerprint &&
        source.model.blockTokens === model.blockTokens &&
        source.model.kvLayout.equals(model.kvLayout);
      if (source.workerId === worker.workerId || !isOfSameKind) continue;
      const { workerId: holderId, registration, mirror } = source;
      const { kvTarget: target } = registration;
      const { traffic } = mirror;
      const run = { holderId, target, traffic, firstBlock: ownBlocks, endBlock: blocks };
      return this.option(worker, 'worker', this.partsOf(worker, [run]));
    }
    return undefined;
  }

  private fromCaches(worker: WorkerView): FetchOption | undefined {
    const { caches } = this;
    const { kvLayout } = worker.model;
    if (caches === undefined || caches.heldBlocks === 0 || kvLayout.length === 0) return undefined;
    const { blocks: ownBlocks } = this.prefix.of(worker);
    const layout = kvLayout.toString('latin1');
    const wanted = `${ownBlocks} ${blockBytesOf(worker)} ${layout}`;
    let parts = this.fromCache.get(wanted);
    if (parts === undefined) {
      let prompt = this.prompts.get(layout);
      if (prompt === undefined) {
        prompt = caches.find(this.request.prefixHashes, kvLayout);
        this.prompts.set(layout, prompt);
      }
      const runs = prompt.runsFrom(ownBlocks).map(({ cache, firstBlock, endBlock }) => {
        const { cacheId: holderId, target, traffic } = cache;
        return { holderId, target, traffic, firstBlock, endBlock };
      });
      parts = this.partsOf(worker, runs);
      this.fromCache.set(wanted, parts);
    }
    return this.option(worker, 'kvcache', parts);
  }

  private partsOf(worker: WorkerView, runs: readonly Omit<FetchPart, 'bytes'>[]): Parts {
    const blockBytes = blockBytesOf(worker);
    const parts = runs.map((run) => {
      const { holderId, target, traffic, firstBlock, endBlock } = run;
      return { holderId, target, traffic, firstBlock, endBlock, bytes: (endBlock - firstBlock) * blockBytes };
    });
    let bytes = 0;
    let competingBytes = 0;
    for (const part of parts) {
      bytes += part.bytes;
      competingBytes += part.traffic.competingBytes(part.bytes, this.nowMs);
    }
    return { parts, bytes, competingBytes };
  }

  private option(
    worker: WorkerView,
    from: FetchOption['from'],
    { parts, bytes, competingBytes }: Parts,
  ): FetchOption | undefined {
    const { model, mirror, registration } = worker;
    const { blocks: ownBlocks, tokens: ownTokens } = this.prefix.of(worker);
    const blocks = parts.at(-1)?.endBlock ?? ownBlocks;
    const tokens = Math.min(blocks * model.blockTokens, this.request.promptTokens - 1);
    if (tokens <= ownTokens) return undefined;
    const fetchTime = from === 'worker' ? mirror.fetchTime : mirror.cacheFetchTime;
    // The busier of the two ends of the way decides. One part comes after the other, each with its own latency.
    const sharedBytes = Math.max(mirror.traffic.competingBytes(bytes, this.nowMs), competingBytes);
    const fetchMs = fetchTime.fetchMs(bytes + sharedBytes) + (parts.length - 1) * fetchTime.fetchMs(0);
    const isCertain = from === 'kvcache' && registration.alwaysAsksCaches;
    return { from, parts, blocks, tokens, ownBlocks, bytes, fetchMs, isCertain };
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

function blockBytesOf({ model }: WorkerView): number {
  return model.blockTokens * model.kvBytesPerToken;
}

/** It serves blocks, and so fetches them, too. */
function sharesBlocks({ registration }: WorkerView): boolean {
  return registration.kvTarget !== '';
}
