import { type Histogram, type HistogramConfiguration, type LabelValues, register } from 'prom-client';
import { SeriesHistogram } from './series.js';

/** Where a measured value comes from, told beside its bucket: the id of a trace that is kept, or nothing. */
export type Exemplar = { readonly trace_id: string } | Readonly<Record<string, never>>;

/** Of what belongs to no trace that anybody could look at. */
export const NO_EXEMPLAR: Exemplar = Object.freeze({});

/** A histogram of the default registry whose buckets point to the last kept traces. */
export function histogramWithExemplars<Label extends string>(
  options: Omit<HistogramConfiguration<Label>, 'enableExemplars' | 'registers'>,
): SeriesHistogram<Label> {
  const histogram = new SeriesHistogram(options);
  register.registerMetric(histogram);
  return histogram;
}

/** Counts a value in a histogram that was made with exemplars. */
export function observe<Label extends string>(
  histogram: Histogram<Label>,
  labels: LabelValues<Label>,
  value: number,
  exemplar: Exemplar,
): void {
  if (exemplar === NO_EXEMPLAR && histogram instanceof SeriesHistogram) histogram.count(labels, value);
  // prom-client types an exemplar's labels as if they were those of the histogram.
  else histogram.observe({ labels, value, exemplarLabels: exemplar as LabelValues<Label> });
}
