import { status } from '@grpc/grpc-js';
import { Injectable } from '@nestjs/common';
import type { Histogram } from 'prom-client';
import {
  type Exemplar,
  histogramWithExemplars,
  LATENCY_BUCKETS_SECONDS,
  observe,
  ownedCounter,
  ownedName,
} from '#lib/observability';
import { WorkerIdentity } from '../worker-identity.js';

/** Who was asked for blocks. */
export type KvFetchedFrom = 'worker' | 'kvcache';

/**
 * What became of blocks that the caches were to have: they have taken them (`stored`), had them (`held`) or not taken them (`refused`); they went from the own
 * store before (`gone`); too many waited (`dropped`); the cache refused or was away (`failed`).
 */
export type KvPushOutcome = 'stored' | 'held' | 'refused' | 'gone' | 'dropped' | 'failed';

interface KvFetch {
  readonly from: KvFetchedFrom;
  readonly outcome: string;
  readonly blocks: number;
  readonly bytes: number;
  readonly seconds: number;
  readonly exemplar: Exemplar;
}

interface FetchTotals {
  fetches: number;
  bytes: number;
  seconds: number;
}

/** Blocks of attention state that came from others and went to them. */
@Injectable()
export class KvTransferMetrics {
  /** Since the worker began: of fetches that brought something, by whom they were from. */
  readonly totals: Readonly<Record<KvFetchedFrom, FetchTotals>> = {
    worker: { fetches: 0, bytes: 0, seconds: 0 },
    kvcache: { fetches: 0, bytes: 0, seconds: 0 },
  };
  private readonly labels: { readonly model: string };
  private readonly fetches = ownedCounter(
    'hydra_worker_kv_fetches_total',
    'Times that a source was asked for blocks of a prompt, by what it is and how it ended.',
    'model',
    'outcome',
    'from',
  );
  private readonly fetchedBlocks = ownedCounter(
    'hydra_worker_kv_fetched_blocks_total',
    'Blocks of attention state that came from other stores and were sound.',
    'model',
  );
  private readonly fetchedBytes = ownedCounter('hydra_worker_kv_fetched_bytes_total', 'Bytes of them.', 'model');
  private readonly pushedBlocks = ownedCounter(
    'hydra_worker_kv_pushed_blocks_total',
    'Blocks of computed prefixes that the caches of KV blocks were to have, by what became of them.',
    'model',
    'outcome',
  );
  private readonly servedBlocks = ownedCounter(
    'hydra_worker_kv_served_blocks_total',
    'Blocks of attention state that were sent to other workers.',
    'model',
  );
  private readonly servedBytes = ownedCounter('hydra_worker_kv_served_bytes_total', 'Bytes of them.', 'model');
  private readonly refusals = ownedCounter(
    'hydra_worker_kv_serve_refusals_total',
    'Calls for blocks that were refused or broken off, by gRPC status.',
    'model',
    'code',
  );
  private readonly seconds: Histogram<'model'>;

  constructor({ model }: WorkerIdentity) {
    this.labels = { model: model.id };
    this.seconds = histogramWithExemplars({
      name: ownedName('hydra_worker_kv_fetch_seconds'),
      help: 'Time that a prompt waited for its blocks from one source, in seconds.',
      labelNames: ['model'] as const,
      buckets: LATENCY_BUCKETS_SECONDS,
    });
  }

  fetched({ from, outcome, blocks, bytes, seconds, exemplar }: KvFetch): void {
    const { labels } = this;
    const totals = this.totals[from];
    this.fetches.inc({ ...labels, outcome, from });
    this.fetchedBlocks.inc(labels, blocks);
    this.fetchedBytes.inc(labels, bytes);
    observe(this.seconds, labels, seconds, exemplar);
    if (bytes === 0) return;
    totals.fetches++;
    totals.bytes += bytes;
    totals.seconds += seconds;
  }

  pushed(outcome: KvPushOutcome, blocks: number): void {
    if (blocks > 0) this.pushedBlocks.inc({ ...this.labels, outcome }, blocks);
  }

  served(bytes: number): void {
    this.servedBlocks.inc(this.labels);
    this.servedBytes.inc(this.labels, bytes);
  }

  refused(code: status): void {
    this.refusals.inc({ ...this.labels, code: (status[code] ?? 'UNKNOWN').toLowerCase() });
  }
}
