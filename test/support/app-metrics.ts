import { portOf } from './app-port.js';
import { metricSum } from './metrics.js';
import type { RunningPlatform } from './platform.js';

/** Reads one metric of an app of the platform, summed over the label sets that contain `labels`. */
export type ReadMetric = (name: string, labels?: Readonly<Record<string, string>>) => Promise<number>;

/**
 * What `/metrics` of an app says that runs when it is first read.
 * @param key     for a gateway that lets in only those with a key
 * @param accept  the format
 */
export function metricsTextOf(
  platform: RunningPlatform,
  app: string,
  key?: string,
  accept = 'text/plain',
): () => Promise<string> {
  let port: Promise<number> | undefined;
  const headers = { accept, ...(key !== undefined && { authorization: `Bearer ${key}` }) };
  return async () => {
    port ??= portOf(platform, app, 'http');
    return (await fetch(`http://127.0.0.1:${await port}/metrics`, { headers })).text();
  };
}

/** The metrics of an app as it runs now. */
export function metricsOf(platform: RunningPlatform, app: string): ReadMetric {
  const read = metricsTextOf(platform, app);
  return async (name, labels) => metricSum(await read(), name, labels);
}
