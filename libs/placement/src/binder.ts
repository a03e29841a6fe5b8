import type { PrefixHashes } from '#lib/kv';
import type { CacheFleet } from './caches/cache-fleet.js';
import { type Candidates, selectCandidates } from './candidates.js';
import { expectedKvTokens, expectedServiceTokens } from './capacity.js';
import type { DrainPace } from './drain-pace.js';
import { explain, type PlacementExplanation } from './explanation.js';
import { firstTokenForecast, waysToFirstToken } from './first-token-forecast.js';
import type { FleetState } from './fleet-state.js';
import { BlockSources, type FetchOption } from './forecast/block-sources.js';
import { ExpectedPrefix } from './forecast/expected-prefix.js';
import type { PrefixLookup } from './kv-index/kv-index.js';
import type { Lease, LeaseTable } from './lease-table.js';
import type { PlacementRequest } from './placement-request.js';
import type { PlacementStrategy } from './placement-strategy.js';
import type { PrefixUses } from './prefix-uses.js';
import type { RefusalReason } from './refusal.js';
import type { StrategyFault } from './strategy-fault.js';
import type { WorkerView } from './worker-view.js';

export interface BinderOptions {
  /** Models that are to have workers: their requests wait even while there is none. */
  readonly expectedModelIds: ReadonlySet<string>;
  /** How long requests for any other model wait for a worker after it lost its last, in milliseconds. */
  readonly lossGraceMs: number;
}

export interface BinderParts {
  readonly prefixes: PrefixLookup;
  /** Absent where there are none to be known. */
  readonly caches?: CacheFleet | undefined;
  readonly fleet: FleetState;
  readonly leases: LeaseTable;
  readonly strategyFor: (modelId: string) => PlacementStrategy;
  /** Seeded, in [0, 1). */
  readonly random: () => number;
  readonly uses: PrefixUses;
}

/**
 * Why a request went to its worker.
 * | reason | means |
 * |---|---|
 * | only-choice | no other worker had room |
 * | prefix-held | the worker was chosen among several, and holds some of the prompt's prefix |
 * | load | the worker was chosen among several, and holds nothing of it |
 */
export type PlacementReason = 'only-choice' | 'prefix-held' | 'load';

/** Blocks of a prompt that another worker has, or a cache. */
export interface BlocksElsewhere {
  readonly kind: FetchOption['from'];
  /** gRPC target of its `KvBlocks`. */
  readonly target: string;
  readonly blockHashes: PrefixHashes;
}

/** A request bound to a worker. */
export interface Binding {
  readonly lease: Lease;
  readonly reason: PlacementReason;
  /** gRPC target of the worker. */
  readonly target: string;
  readonly strategy: string;
  /** What the worker is to fetch, and from where, in the order of the prompt. */
  readonly kvSources: readonly BlocksElsewhere[];
  /** Leading blocks of the prompt that at least one, two and three earlier prompts of the fleet began with, as many as are not 0. */
  readonly earlierUses: readonly number[];
  /** Set when the request asked for it. */
  readonly explanation: PlacementExplanation | undefined;
}

export type BindOutcome =
  | { readonly kind: 'bound'; readonly binding: Binding }
  | { readonly kind: 'failed'; readonly fault: StrategyFault };

/** What can be done for a request now: a worker has room, it has to wait, or waiting is in vain. */
export type Prospect =
  | {
      readonly kind: 'room';
      readonly selection: Candidates;
      readonly workers: readonly WorkerView[];
      /** How much of the prompt each worker has. */
      readonly prefix: ExpectedPrefix;
      /** Who has more of it, where the model's strategy has workers fetch it. */
      readonly sources: BlockSources | undefined;
    }
  | {
      readonly kind: 'no-room';
      readonly workers: readonly WorkerView[];
      /** Workers that lack nothing but room. */
      readonly waitsFor: readonly string[];
      /** Workers of the model that take anything at all. */
      readonly takingCount: number;
    }
  | { readonly kind: 'refused'; readonly reason: RefusalReason; readonly message: string };

interface Chosen {
  readonly worker: WorkerView;
  readonly predictedTtftMs: number | undefined;
  readonly fetch: FetchOption | undefined;
  readonly explanation: PlacementExplanation | undefined;
}

/** Binds one request to one worker. `prospect` decides and changes nothing; `bind` carries it out. */
export class Binder {
  constructor(
    private readonly options: BinderOptions,
    private readonly parts: BinderParts,
  ) {}

  /** @param reserved  workers that requests before this one have a claim on */
  prospect(request: PlacementRequest, reserved: ReadonlySet<string>, nowMs: number): Prospect {
    const workers = this.parts.fleet.workersOf(request.modelId, nowMs);
    const selection = selectCandidates(request, workers, reserved);
    const { candidates } = selection;
    if (candidates.length > 0) {
      const prefix = this.prefixOn(request, workers);
      return { kind: 'room', selection, workers, prefix, sources: this.sourcesOf(request, prefix, nowMs) };
    }
    const reasons = new Set(selection.filtered.values());
    // A draining worker is to be replaced, and one that is expected will come.
    const mayWait = selection.waitsFor.length > 0 || reasons.has('draining');
    if (mayWait || (workers.length === 0 && this.isAwaited(request.modelId, nowMs))) {
      const takingCount = workers.filter((worker) => !worker.isDraining).length;
      return { kind: 'no-room', workers, waitsFor: selection.waitsFor, takingCount };
    }
    if (reasons.has('too-small')) {
      const outputTokens = Math.ceil(request.maxOutputTokens / request.sequenceCount);
      const tokens = `${request.promptTokens} tokens of prompt and up to ${outputTokens} of output`;
      return {
        kind: 'refused',
        reason: 'unserviceable',
        message: `No worker of ${request.modelId} can hold ${tokens}.`,
      };
    }
    const asked = request.adapterId === '' ? request.modelId : `adapter ${request.adapterId} of ${request.modelId}`;
    return { kind: 'refused', reason: 'no-worker', message: `No worker serves ${asked}.` };
  }

  /**
   * The earliest time to first token that any worker is predicted to reach, in milliseconds.
   * @returns undefined when there is no worker to ask about
   */
  leastTtftMs(
    request: PlacementRequest,
    prospect: Exclude<Prospect, { kind: 'refused' }>,
    pace: DrainPace,
    nowMs: number,
  ): number | undefined {
    const slotMs = slotIntervalMs(prospect, pace, nowMs);
    if (prospect.kind === 'room') {
      const { prefix, sources, selection } = prospect;
      const forecastsOn = waysToFirstToken(request, prefix, sources, slotMs, nowMs);
      return Math.min(...selection.candidates.flatMap(forecastsOn).map(({ ttftMs }) => ttftMs));
    }
    const able = prospect.workers.filter(({ workerId }) => prospect.waitsFor.includes(workerId));
    if (able.length === 0) return undefined;
    // Until its turn comes the workers compute what they have, and others take the places that become free.
    const prefix = this.prefixOn(request, prospect.workers);
    const sources = this.sourcesOf(request, prefix, nowMs);
    const forecastsOn = waysToFirstToken(request, prefix, sources, slotMs, nowMs);
    // What is fetched may come while the request waits.
    return Math.min(...able.flatMap(forecastsOn).map((forecast) => forecast.slotMs + forecast.prefillMs));
  }

  bind(request: PlacementRequest, prospect: Prospect & { kind: 'room' }, pace: DrainPace, nowMs: number): BindOutcome {
    const strategy = this.parts.strategyFor(request.modelId);
    let chosen: Chosen;
    try {
      chosen = this.choose(strategy, request, prospect, nowMs);
    } catch (cause) {
      return { kind: 'failed', fault: { strategy: strategy.name, modelId: request.modelId, cause } };
    }
    const { worker, fetch, explanation } = chosen;
    const { target } = worker.registration;
    const lease = this.grant(request, prospect.prefix, chosen, slotIntervalMs(prospect, pace, nowMs), nowMs);
    const { prefixHashes, attempt } = request;
    const earlierUses = attempt === 0 ? this.parts.uses.add(prefixHashes) : this.parts.uses.of(prefixHashes);
    const reason = reasonOf(prospect.selection.candidates.length, prospect.prefix.of(worker).tokens);
    return {
      kind: 'bound',
      binding: {
        lease,
        reason,
        target,
        strategy: strategy.name,
        kvSources: fetch === undefined ? [] : elsewhere(request, fetch),
        earlierUses,
        explanation,
      },
    };
  }

  /** @throws when the strategy breaks its contract; nothing has changed then */
  private choose(
    strategy: PlacementStrategy,
    request: PlacementRequest,
    { selection, workers, prefix, sources }: Prospect & { kind: 'room' },
    nowMs: number,
  ): Chosen {
    const choice = strategy.choose(request, selection.candidates, {
      nowMs,
      random: this.parts.random,
      workers,
      prefix,
      sources,
    });
    const worker = selection.candidates.find((one) => one.workerId === choice.workerId);
    if (worker === undefined) throw new Error(`it chose "${choice.workerId}", which is no candidate`);
    return {
      worker,
      predictedTtftMs: choice.ttftMs,
      fetch: choice.fetch,
      explanation: request.explain ? explain(strategy.name, selection, choice) : undefined,
    };
  }

  private grant(
    request: PlacementRequest,
    prefix: ExpectedPrefix,
    { worker, predictedTtftMs, fetch }: Chosen,
    slotMs: number,
    nowMs: number,
  ): Lease {
    const { generationId, promptTokens, prefixHashes } = request;
    const { cachedTokens, ttftMs } = firstTokenForecast(request, worker, prefix, fetch, slotMs, nowMs);
    const lease = this.parts.leases.grant(
      {
        generationId,
        modelId: request.modelId,
        tenantId: request.tenantId,
        priority: request.priority,
        workerId: worker.workerId,
        workerEpoch: worker.workerEpoch,
        attempt: request.attempt,
        sequenceCount: request.sequenceCount,
        promptTokens,
        kvTokens: expectedKvTokens(request),
        cachedTokens,
        predictedTtftMs,
        serviceTokens: Math.max(1, expectedServiceTokens(request) - cachedTokens),
        forecastTtftMs: ttftMs,
      },
      nowMs,
    );
    const remainingTokens = promptTokens - cachedTokens;
    worker.mirror.sent({ generationId, promptTokens, prefixHashes, sentAtMs: nowMs, remainingTokens });
    if (fetch !== undefined) {
      const bytesOver = new Map([[worker.mirror.traffic, fetch.bytes]]);
      for (const { traffic, bytes } of fetch.parts) bytesOver.set(traffic, (bytesOver.get(traffic) ?? 0) + bytes);
      for (const [traffic, bytes] of bytesOver) traffic.began(generationId, bytes, fetch.fetchMs, nowMs);
    }
    return lease;
  }

  private prefixOn(request: PlacementRequest, workers: readonly WorkerView[]): ExpectedPrefix {
    return new ExpectedPrefix(request, workers, this.parts.prefixes);
  }

  private sourcesOf(request: PlacementRequest, prefix: ExpectedPrefix, nowMs: number): BlockSources | undefined {
    if (!this.parts.strategyFor(request.modelId).fetchesBlocks) return undefined;
    return BlockSources.among(request, prefix, this.parts.caches, nowMs);
  }

  private isAwaited(modelId: string, nowMs: number): boolean {
    const { expectedModelIds, lossGraceMs } = this.options;
    return expectedModelIds.has(modelId) || this.parts.fleet.servedWithin(modelId, lossGraceMs, nowMs);
  }
}

function elsewhere({ prefixHashes }: PlacementRequest, { from: kind, parts }: FetchOption): BlocksElsewhere[] {
  return parts.map(({ target, firstBlock, endBlock }) => {
    const blockHashes = prefixHashes.slice(firstBlock, endBlock);
    return { kind, target, blockHashes };
  });
}

function reasonOf(candidateCount: number, cachedTokens: number): PlacementReason {
  if (candidateCount === 1) return 'only-choice';
  return cachedTokens > 0 ? 'prefix-held' : 'load';
}

/** Those that wait get a place whenever some worker has one free: a certain worker has one as many times more rarely. */
function slotIntervalMs(
  { workers }: { readonly workers: readonly WorkerView[] },
  pace: DrainPace,
  nowMs: number,
): number {
  return pace.waitMs(workers.length, nowMs) ?? 0;
}
