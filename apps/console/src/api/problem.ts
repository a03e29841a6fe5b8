/** What went wrong with a request, in the words of the API's one error shape. */
export interface ProblemFacts {
  readonly message: string;
  /** Of the API's table, docs/errors.md; `network` when no answer came at all. */
  readonly code: string;
  /** Absent when no answer came, or the error came within a stream. */
  readonly status?: number;
  readonly param?: string;
  readonly requestId?: string;
  readonly retryAfterS?: number;
}

/** A request that was refused or failed. */
export class Problem extends Error {
  override readonly name = 'Problem';

  constructor(readonly facts: ProblemFacts) {
    super(facts.message);
  }
}

/** The error of an answer that is not ok, whatever stands in it. */
export async function problemOf(response: Response): Promise<Problem> {
  const retryAfterS = Number(response.headers.get('retry-after') ?? Number.NaN);
  const facts = errorFacts(await response.json().catch(() => undefined));
  return new Problem({
    message: facts?.message ?? `The gateway answered ${response.status} ${response.statusText}`.trimEnd(),
    code: facts?.code ?? String(response.status),
    status: response.status,
    ...(facts?.param === undefined ? {} : { param: facts.param }),
    requestId: response.headers.get('x-request-id') ?? undefined,
    ...(Number.isFinite(retryAfterS) ? { retryAfterS } : {}),
  });
}

/** Brings anything that was thrown into one shape. */
export function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  const message = 'The gateway does not answer. Is it running, and are you connected?';
  return new Problem({ message, code: 'network' });
}

/** @param body  `{ error: { message, code, type, param } }`, or anything else */
export function errorFacts(body: unknown): Pick<ProblemFacts, 'message' | 'code' | 'param'> | undefined {
  if (typeof body !== 'object' || body === null || !('error' in body)) return undefined;
  const { error } = body;
  if (typeof error !== 'object' || error === null) return undefined;
  const { message, code, type, param } = error as Readonly<Record<string, unknown>>;
  if (typeof message !== 'string') return undefined;
  const known = [code, type].find((word) => typeof word === 'string');
  return { message, code: String(known ?? 'error'), ...(typeof param === 'string' ? { param } : {}) };
}
