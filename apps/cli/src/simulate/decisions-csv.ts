import type { SimulatedRequest } from '#lib/simulator';

/** One line per request in order of arrival; times in seconds, a worker of -1 was never found. */
export function decisionsCsv(requests: readonly SimulatedRequest[]): string {
  const lines = requests.map(({ index, trace, workerIndex, dispatchedS }) => {
    const dispatched = Number.isFinite(dispatchedS) ? dispatchedS : '';
    return `${index},${trace.timeS},${workerIndex},${dispatched}\n`;
  });
  return `i,t,worker,dispatch_t\n${lines.join('')}`;
}
