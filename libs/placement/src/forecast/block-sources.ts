import type { ServedModel } from '#lib/contracts';
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

/** The option of the worker that is looked at: one object for all workers of a decision. */
class Option implements FetchOption {
  parts: readonly FetchPart[] = [];
  blocks = 0;
  tokens = 0;
  ownBlocks = 0;
  bytes = 0;
  fetchMs = 0;
  isCertain = false;

  constructor(readonly from: FetchOption['from']) {}
}

interface Parts {
  readonly parts: readonly FetchPart[];
  /** Of the prompt, where the first of them begins. */
  readonly firstBlock: number;
  /** Of each block. */
  readonly blockBytes: number;
  /** Of all of them. */
  readonly bytes: number;
  /** What others have on its way from those who hold them. */
  readonly competingBytes: number;
}

/** A worker that holds some of the prompt. */
interface Source {
  readonly worker: WorkerView;
  /** Leading ones that it holds. */
  readonly blocks: number;
  /** What the last worker would fetch from it: most want the same. */
  parts: Parts | undefined;
}

/** What caches hold of the prompt in one layout. */
interface CachedPrompt {
  readonly layout: Uint8Array;
  readonly prompt: PromptInCaches;
  /** Those that somebody would fetch. */
  readonly parts: Parts[];
}

/** Who holds more of a prompt than a worker that it may go to. For one decision: nothing may change until it is made. */
export class BlockSources {
  /** Workers that hold some of it, the longest prefix first. */
  private ordered: readonly Source[] | undefined;
  private readonly cached: CachedPrompt[] = [];
  private readonly options = { worker: new Option('worker'), kvcache: new Option('kvcache') };

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
   * @returns options that are good until the next worker is asked about: a decision looks at hundreds and takes one
   */
  optionsFor(worker: WorkerView): readonly FetchOption[] {
    if (!sharesBlocks(worker)) return NO_OPTIONS;
    const own = this.prefix.of(worker);
    const fromCaches = this.fromCaches(worker, own);
    const fromWorker = this.fromWorker(worker, own);
    if (fromCaches === undefined) return fromWorker === undefined ? NO_OPTIONS : [fromWorker];
    return fromWorker === undefined ? [fromCaches] : [fromCaches, fromWorker];
  }

  private fromWorker(worker: WorkerView, own: Prefix): FetchOption | undefined {
    this.ordered ??= this.inOrder();
    for (const source of this.ordered) {
      const { worker: holder, blocks } = source;
      if (blocks <= own.blocks) return undefined;
      if (holder === worker || !isOfSameKind(holder.model, worker.model)) continue;
      if (!isWanted(source.parts, worker, own)) {
        const { workerId: holderId, registration, mirror } = holder;
        const { kvTarget: target } = registration;
        const { traffic } = mirror;
        const run = { holderId, target, traffic, firstBlock: own.blocks, endBlock: blocks };
        source.parts = this.partsOf(worker, own, [run]);
      }
      return this.option(worker, own, 'worker', source.parts);
    }
    return undefined;
  }

  private fromCaches(worker: WorkerView, own: Prefix): FetchOption | undefined {
    const { caches } = this;
    const { kvLayout: layout } = worker.model;
    if (caches === undefined || caches.heldBlocks === 0 || layout.length === 0) return undefined;
    let cached = this.cached.find((one) => isSameLayout(one.layout, layout));
    if (cached === undefined) {
      cached = { layout, prompt: caches.find(this.request.prefixHashes, layout), parts: [] };
      this.cached.push(cached);
    }
    let parts = cached.parts.find((one) => isWanted(one, worker, own));
    if (parts === undefined) {
      const runs = cached.prompt.runsFrom(own.blocks).map(({ cache, firstBlock, endBlock }) => {
        const { cacheId: holderId, target, traffic } = cache;
        return { holderId, target, traffic, firstBlock, endBlock };
      });
      parts = this.partsOf(worker, own, runs);
      cached.parts.push(parts);
    }
    return this.option(worker, own, 'kvcache', parts);
  }

  private partsOf(worker: WorkerView, own: Prefix, runs: readonly Omit<FetchPart, 'bytes'>[]): Parts {
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
    return { parts, firstBlock: own.blocks, blockBytes, bytes, competingBytes };
  }

  private option(
    worker: WorkerView,
    { blocks: ownBlocks, tokens: ownTokens }: Prefix,
    from: FetchOption['from'],
    { parts, bytes, competingBytes }: Parts,
  ): FetchOption | undefined {
    const { model, mirror, registration } = worker;
    const blocks = parts.length === 0 ? ownBlocks : parts[parts.length - 1]!.endBlock;
    const tokens = Math.min(blocks * model.blockTokens, this.request.promptTokens - 1);
    if (tokens <= ownTokens) return undefined;
    const fetchTime = from === 'worker' ? mirror.fetchTime : mirror.cacheFetchTime;
    // The busier of the two ends of the way decides. One part comes after the other, each with its own latency.
    const sharedBytes = Math.max(mirror.traffic.competingBytes(bytes, this.nowMs), competingBytes);
    const fetchMs = fetchTime.fetchMs(bytes + sharedBytes) + (parts.length - 1) * fetchTime.fetchMs(0);
    const isCertain = from === 'kvcache' && registration.alwaysAsksCaches;
    const option = this.options[from];
    option.parts = parts;
    option.blocks = blocks;
    option.tokens = tokens;
    option.ownBlocks = ownBlocks;
    option.bytes = bytes;
    option.fetchMs = fetchMs;
    option.isCertain = isCertain;
    return option;
  }

  /** Of equals the one with the least to do comes first. */
  private inOrder(): readonly Source[] {
    const { held, workers } = this.prefix;
    const sources: Source[] = [];
    for (let place = 0; place < workers.length; place++) {
      const worker = workers[place]!;
      const blocks = held[place]!;
      if (blocks > 0 && sharesBlocks(worker)) sources.push({ worker, blocks, parts: undefined });
    }
    return sources.sort(
      (a, b) =>
        b.blocks - a.blocks || a.worker.load - b.worker.load || (a.worker.workerId < b.worker.workerId ? -1 : 1),
    );
  }
}

const NO_OPTIONS: readonly FetchOption[] = [];

/** Whether a worker that has so much of its own would fetch just these parts from those who hold them. */
function isWanted(parts: Parts | undefined, worker: WorkerView, own: Prefix): parts is Parts {
  return parts?.firstBlock === own.blocks && parts.blockBytes === blockBytesOf(worker);
}

function isOfSameKind(one: ServedModel, other: ServedModel): boolean {
  return (
    one.modelFingerprint === other.modelFingerprint &&
    one.blockTokens === other.blockTokens &&
    isSameLayout(one.kvLayout, other.kvLayout)
  );
}

/** Their few bytes one by one: asked for each pair of workers, calls out of JavaScript take longer. */
function isSameLayout(one: Uint8Array, other: Uint8Array): boolean {
  if (one === other) return true;
  if (one.length !== other.length) return false;
  for (let at = 0; at < one.length; at++) if (one[at] !== other[at]) return false;
  return true;
}

function blockBytesOf({ model }: WorkerView): number {
  return model.blockTokens * model.kvBytesPerToken;
}

/** It serves blocks, and so fetches them, too. */
function sharesBlocks({ registration }: WorkerView): boolean {
  return registration.kvTarget !== '';
}
