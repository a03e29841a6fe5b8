import { Injectable } from '@nestjs/common';
import type { StateReport } from '#lib/contracts';
import { Engine, type EngineState } from '#lib/engine';
import { Embeddings } from '../embedding/embeddings.js';
import { Drain } from '../lifecycle/drain.js';
import { KvTransferMetrics } from '../observation/kv-transfer-metrics.js';
import { Generations } from '../session/generations.js';
import { LeaseTerms } from '../session/lease-terms.js';
import { DeviceMeter } from './device-meter.js';

const MAX_HELD_IDS = 4_096;
const REPORTS_PER_HELD_LIST = 10;

/** What happened between two looks at the engine. */
interface Rates {
  readonly tokensPerSecond: number;
  readonly prefillTokensPerSecond: number;
  /** Mean duration of a step; 0 when there was none. */
  readonly stepUs: number;
  readonly stepsPerSecond: number;
}

/** Writes state reports. Rates are over the last whole interval, also in the reports between two intervals. */
@Injectable()
export class StateReporter {
  private rates: Rates = { tokensPerSecond: 0, prefillTokensPerSecond: 0, stepUs: 0, stepsPerSecond: 0 };
  private devices: StateReport['devices'] = [];
  private last: { readonly state: EngineState; readonly atMs: number };

  constructor(
    private readonly engine: Engine,
    private readonly generations: Generations,
    private readonly embeddings: Embeddings,
    private readonly terms: LeaseTerms,
    private readonly drain: Drain,
    private readonly meter: DeviceMeter,
    private readonly kvTransfers: KvTransferMetrics,
  ) {
    this.last = { state: engine.state(), atMs: performance.now() };
  }

  /** An interval is over: rates and devices are measured anew. */
  measure(): void {
    const state = this.engine.state();
    const atMs = performance.now();
    const seconds = Math.max(0.001, (atMs - this.last.atMs) / 1_000);
    const since = (read: (state: EngineState) => number) => Math.max(0, read(state) - read(this.last.state));
    const steps = since(({ steps }) => steps);
    this.rates = {
      tokensPerSecond: since(({ generatedTokens }) => generatedTokens) / seconds,
      prefillTokensPerSecond: since(({ computedPromptTokens }) => computedPromptTokens) / seconds,
      stepUs: steps > 0 ? Math.round(since(({ stepUs }) => stepUs) / steps) : 0,
      stepsPerSecond: steps / seconds,
    };
    this.devices = this.meter.states();
    this.last = { state, atMs };
  }

  /**
   * @param sequence  number of the report to its scheduler, from 1
   * @param schedulers  that the worker is joined with
   */
  report(sequence: number, schedulers: readonly string[]): StateReport {
    const state = this.engine.state();
    return {
      sequence,
      schedulers: [...schedulers],
      leaseTerms: this.terms.all(),
      runningGenerations: state.runningGenerations,
      waitingGenerations: state.waitingGenerations,
      pendingPrefillTokens: state.pendingPrefillTokens,
      kvUsedBytes: state.kvUsedBytes,
      kvTotalBytes: state.kvTotalBytes,
      ...this.rates,
      devices: this.devices,
      prefixQueryTokens: state.queriedPromptTokens,
      prefixHitTokens: state.cachedPromptTokens,
      ...this.fetches(),
      draining: this.drain.hasBegun,
      heldGenerationIds: sequence % REPORTS_PER_HELD_LIST === 0 ? this.heldIds() : [],
    };
  }

  private fetches() {
    const { worker, kvcache } = this.kvTransfers.totals;
    return {
      kvFetches: worker.fetches,
      kvFetchedBytes: worker.bytes,
      kvFetchUs: Math.round(worker.seconds * 1e6),
      kvCacheFetches: kvcache.fetches,
      kvCacheFetchedBytes: kvcache.bytes,
      kvCacheFetchUs: Math.round(kvcache.seconds * 1e6),
    };
  }

  /** None when there are more than fit: a part of them would be taken for all. */
  private heldIds(): string[] {
    const size = this.generations.size + this.embeddings.size;
    return size <= MAX_HELD_IDS ? [...this.generations.ids, ...this.embeddings.ids] : [];
  }
}
