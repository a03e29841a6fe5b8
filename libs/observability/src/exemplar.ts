import { Histogram, type HistogramConfiguration, type LabelValues, register } from 'prom-client';

/** Where a measured value comes from, told beside its bucket: the id of a trace that is kept, or nothing. */
export type Exemplar = { readonly trace_id: string } | Readonly<Record<string, never>>;

/** Of what belongs to no trace that anybody could look at. */
export const NO_EXEMPLAR: Exemplar = Object.freeze({});

/** A histogram of the default registry whose buckets point to the last kept traces. */
export function histogramWithExemplars<Label extends string>(
  options: Omit<HistogramConfiguration<Label>, 'enableExemplars' | 'registers'>,
): Histogram<Label> {
  // Registered afterwards: a registry takes them at once only if it always answers in OpenMetrics.
  const histogram = new Histogram({ ...options, enableExemplars: true, registers: [] });
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
  // prom-client types an exemplar's labels as if they were those of the histogram.
  histogram.observe({ labels, value, exemplarLabels: exemplar as LabelValues<Label> });
}
