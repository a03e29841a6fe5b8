import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import type { ApiClient, Call } from './api-client.js';
import { type Problem, toProblem } from './problem.js';
import type { List } from './resources.js';

export interface Resource<T> {
  /** The last that was read; stays while the next read fails. */
  readonly data: T | undefined;
  /** Of the last read. */
  readonly problem: Problem | undefined;
  readonly isLoading: boolean;
  reload(): void;
}

export interface ResourceOptions<T> {
  /** Time from the end of one read to the next, in milliseconds; absent: read once. */
  readonly intervalMs?: number;
  /** Of an answer of its own kind where the next read should come at another time. */
  readonly intervalAfter?: (data: T) => number;
  /** How it is read; the same for as long as the page lives. Absent: as one answer. */
  readonly read?: (client: ApiClient, path: string, call: Call) => Promise<T>;
}

/** Of a list of administration, however many pages it has. */
export function readPages<T>(client: ApiClient, path: string, call: Call): Promise<List<T>> {
  return client.list<T>(path, call);
}

function readOnce<T>(client: ApiClient, path: string, call: Call): Promise<T> {
  return client.json<T>(path, call);
}

/** Codes that another read cannot change: a person must do something first. */
const FINAL_CODES = ['invalid_api_key', 'insufficient_permissions', 'not_found', 'route_not_found'];

/**
 * Reads `GET path`, and again at its interval while the page is seen: one request at a time, none from a hidden page.
 * @param path  absent: nothing is read
 */
export function useResource<T>(
  client: ApiClient,
  path: string | undefined,
  { intervalMs, intervalAfter, read: readFrom = readOnce }: ResourceOptions<T> = {},
): Resource<T> {
  const [state, setState] = useState<Omit<Resource<T>, 'reload'>>({
    data: undefined,
    problem: undefined,
    isLoading: path !== undefined,
  });
  const [round, setRound] = useState(0);
  const interval = useRef(intervalAfter);
  interval.current = intervalAfter;
  const from = useRef(readFrom);

  useEffect(() => {
    setState({ data: undefined, problem: undefined, isLoading: path !== undefined });
  }, [client, path]);

  useEffect(() => {
    if (path === undefined) return;
    const controller = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const next = (afterMs: number | undefined) => {
      if (afterMs !== undefined) timer = setTimeout(() => whenSeen(read, controller.signal), afterMs);
    };
    const read = async () => {
      try {
        const data = await from.current(client, path, { signal: controller.signal });
        setState({ data, problem: undefined, isLoading: false });
        next(interval.current?.(data) ?? intervalMs);
      } catch (error) {
        if (controller.signal.aborted) return;
        const problem = toProblem(error);
        setState(({ data }) => ({ data, problem, isLoading: false }));
        next(FINAL_CODES.includes(problem.facts.code) ? undefined : intervalMs);
      }
    };
    void read();
    return () => {
      clearTimeout(timer);
      controller.abort();
    };
  }, [client, path, intervalMs, round]);

  const reload = useCallback(() => setRound((value) => value + 1), []);
  return { ...state, reload };
}

/** Now, or when the page is looked at again. */
function whenSeen(act: () => Promise<void>, signal: AbortSignal): void {
  if (!document.hidden) {
    void act();
    return;
  }
  const look = () => {
    if (document.hidden) return;
    document.removeEventListener('visibilitychange', look);
    void act();
  };
  document.addEventListener('visibilitychange', look, { signal });
}
