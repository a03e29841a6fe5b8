import type { Counter, Histogram } from 'prom-client';

/** What a histogram has counted for one label since the process began. */
export interface HistogramCounts {
  /** Of each bucket alone, in their order; the last has what is beyond all bounds. */
  readonly counts: readonly number[];
  readonly sumSeconds: number;
}

/** What this gateway counted of one model since it began: the numbers behind `/metrics`. */
export interface ModelCounts {
  readonly promptTokens: number;
  readonly cachedTokens: number;
  readonly completionTokens: number;
  readonly ttft: HistogramCounts | undefined;
  readonly itl: HistogramCounts | undefined;
}

/** A metric with the label `model`, by its values. */
export async function countsByModel(histogram: Histogram): Promise<ReadonlyMap<string, HistogramCounts>> {
  const byModel = new Map<string, { counts: number[]; sumSeconds: number }>();
  for (const { labels, value, metricName } of (await histogram.get()).values) {
    const model = String(labels['model']);
    const entry = byModel.get(model) ?? { counts: [], sumSeconds: 0 };
    byModel.set(model, entry);
    if (metricName?.endsWith('_bucket')) entry.counts.push(value);
    else if (metricName?.endsWith('_sum')) entry.sumSeconds = value;
  }
  for (const entry of byModel.values()) {
    entry.counts = entry.counts.map((value, index) => value - (entry.counts[index - 1] ?? 0)); // they are told as sums
  }
  return byModel;
}

export async function totalsByModel(counter: Counter): Promise<ReadonlyMap<string, number>> {
  return new Map((await counter.get()).values.map(({ labels, value }) => [String(labels['model']), value]));
}
