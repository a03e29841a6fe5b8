import { eventually } from './eventually.js';
import type { RunningPlatform } from './platform.js';

/** The port that an app of the platform has now, by its log lines (which are JSON): a line comes through a pipe, at times after the app has answered. */
export function portOf({ lines }: RunningPlatform, app: string, kind: 'http' | 'grpc'): Promise<number> {
  const port = new RegExp(`^${app} .*"${kind}_port":(\\d+)`);
  return eventually(() => {
    const said = lines.findLast((line) => port.test(line));
    return said === undefined ? undefined : Number(port.exec(said)![1]);
  });
}
