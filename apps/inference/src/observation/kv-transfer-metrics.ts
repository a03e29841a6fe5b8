import { status } from '@grpc/grpc-js';
import { Injectable } from '@nestjs/common';
import { Counter, Histogram, register } from 'prom-client';
import { LATENCY_BUCKETS_SECONDS } from '#lib/observability';
import { WorkerIdentity } from '../worker-identity.js';

interface KvFetch {
  readonly outcome: string;
  readonly blocks: number;
  readonly bytes: number;
  readonly seconds: number;
}

/** Blocks of attention state that came from others and went to them. */
@Injectable()
export class KvTransferMetrics {
  /** Since the worker began: of fetches that brought something. */
  readonly totals = { fetches: 0, bytes: 0, seconds: 0 };
  private readonly labels: { readonly model: string };
  private readonly fetches = counter(
    'hydra_worker_kv_fetches_total',
    'Times that a source was asked for blocks of a prompt, by how it ended.',
    'outcome',
  );
  private readonly fetchedBlocks = counter(
    'hydra_worker_kv_fetched_blocks_total',
    'Blocks of attention state that came from other stores and were sound.',
  );
  private readonly fetchedBytes = counter('hydra_worker_kv_fetched_bytes_total', 'Bytes of them.');
  private readonly servedBlocks = counter(
    'hydra_worker_kv_served_blocks_total',
    'Blocks of attention state that were sent to other workers.',
  );
  private readonly servedBytes = counter('hydra_worker_kv_served_bytes_total', 'Bytes of them.');
  private readonly refusals = counter(
    'hydra_worker_kv_serve_refusals_total',
    'Calls for blocks that were refused or broken off, by gRPC status.',
    'code',
  );
  private readonly seconds: Histogram<'model'>;

  constructor({ model }: WorkerIdentity) {
    this.labels = { model: model.id };
    this.seconds = new Histogram({
      name: owned('hydra_worker_kv_fetch_seconds'),
      help: 'Time that a prompt waited for its blocks from one source, in seconds.',
      labelNames: ['model'] as const,
      buckets: LATENCY_BUCKETS_SECONDS,
    });
  }

  fetched({ outcome, blocks, bytes, seconds }: KvFetch): void {
    const { labels, totals } = this;
    this.fetches.inc({ ...labels, outcome });
    this.fetchedBlocks.inc(labels, blocks);
    this.fetchedBytes.inc(labels, bytes);
    this.seconds.observe(labels, seconds);
    if (bytes === 0) return;
    totals.fetches++;
    totals.bytes += bytes;
    totals.seconds += seconds;
  }

  served(bytes: number): void {
    this.servedBlocks.inc(this.labels);
    this.servedBytes.inc(this.labels, bytes);
  }

  refused(code: status): void {
    this.refusals.inc({ ...this.labels, code: (status[code] ?? 'UNKNOWN').toLowerCase() });
  }
}

function counter<Label extends string = never>(name: string, help: string, label?: Label): Counter<'model' | Label> {
  return new Counter({ name: owned(name), help, labelNames: label === undefined ? ['model'] : ['model', label] });
}

/** Takes the name over from an earlier app in this process, if there was one. */
function owned(name: string): string {
  register.removeSingleMetric(name);
  return name;
}
