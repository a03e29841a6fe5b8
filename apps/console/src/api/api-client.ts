import { problemOf, toProblem } from './problem.js';
import type { List } from './resources.js';

export interface Call {
  readonly method?: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  readonly body?: unknown;
  readonly signal?: AbortSignal;
}

interface Page<T> extends List<T> {
  readonly last_id: string | null;
  readonly has_more: boolean;
}

/** The most entries that the gateway answers at once. */
const PAGE = 1_000;

/** Requests to the gateway that served this page, and to no other; with the key, when there is one. */
export class ApiClient {
  constructor(private readonly key: string | undefined) {}

  /** @throws Problem, or the signal's reason */
  async json<T>(path: string, call: Call = {}): Promise<T> {
    const response = await this.send(path, call);
    if (response.status === 204) return undefined as T; // callers of such routes ask for nothing
    return this.reading<T>(call, () => response.json());
  }

  /** A list of administration, page by page. @throws Problem, or the signal's reason */
  async list<T>(path: string, call: Call = {}): Promise<List<T>> {
    const data: T[] = [];
    for (let after = ''; ; ) {
      const page = await this.json<Page<T>>(`${path}?limit=${PAGE}${after}`, call);
      data.push(...page.data);
      if (!page.has_more || page.last_id === null) return { data };
      after = `&after=${encodeURIComponent(page.last_id)}`;
    }
  }

  /** @returns an answer that is ok, its body unread @throws Problem, or the signal's reason */
  async send(path: string, call: Call): Promise<Response> {
    const { method = 'GET', body, signal } = call;
    const response = await this.reading(call, () =>
      fetch(path, {
        method,
        headers: {
          ...(this.key === undefined ? {} : { authorization: `Bearer ${this.key}` }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        ...(signal === undefined ? {} : { signal }),
        cache: 'no-store',
        credentials: 'omit',
        redirect: 'error',
      }),
    );
    if (!response.ok) throw await problemOf(response);
    return response;
  }

  private async reading<T>({ signal }: Call, read: () => Promise<T>): Promise<T> {
    try {
      return await read();
    } catch (error) {
      signal?.throwIfAborted();
      throw toProblem(error);
    }
  }
}
