import { type Metric, register } from 'prom-client';

/**
 * A metric under a second name, with its labels renamed: dashboards and autoscalers know the names of vLLM. It reads the
 * first one at each scrape and costs nothing in between.
 */
export function aliasMetric(
  metric: Metric,
  name: string,
  alias: string,
  labels: Readonly<Record<string, string>>,
): void {
  register.removeSingleMetric(alias);
  const read = async () => {
    const snapshot = await metric.get();
    return {
      ...snapshot,
      name: alias,
      values: snapshot.values.map((value) => ({
        ...value,
        ...('metricName' in value ? { metricName: String(value.metricName).replace(name, alias) } : {}),
        labels: Object.fromEntries(Object.entries(value.labels).map(([key, of]) => [labels[key] ?? key, of])),
      })),
    };
  };
  register.registerMetric({ name: alias, get: read, reset: () => {} } as unknown as Metric); // all that a registry calls
}
