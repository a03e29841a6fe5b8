import { Metadata, type ServiceError, status } from '@grpc/grpc-js';

/** A call ended with another status than OK. `codeName` is the word of `google.rpc.Code`, such as `UNAVAILABLE`. */
export class GrpcStatusError extends Error {
  override readonly name = 'GrpcStatusError';
  readonly codeName: string;

  constructor(
    readonly code: status,
    readonly details: string,
    readonly metadata: Metadata = new Metadata(),
    options?: ErrorOptions,
  ) {
    const codeName = status[code] ?? String(code);
    super(`${codeName}: ${details}`, options);
    this.codeName = codeName;
  }

  static from(error: unknown): GrpcStatusError {
    if (error instanceof GrpcStatusError) return error;
    const { code, details, metadata } = error as Partial<ServiceError>;
    if (typeof code === 'number') return new GrpcStatusError(code, plain(details ?? ''), metadata, { cause: error });
    return new GrpcStatusError(status.UNKNOWN, error instanceof Error ? error.message : String(error), undefined, {
      cause: error,
    });
  }

  /** Nobody was there to answer: the call was not carried out, as far as can be known. */
  get isUnavailable(): boolean {
    return this.code === status.UNAVAILABLE;
  }
}

/** grpc-js says around a failed connection what is of no use to people: the reason alone stays. */
function plain(details: string): string {
  const [, reason] =
    /^No connection established\. Last error: (?:Error: )?(.*?)\.? ?Resolution note: ?$/s.exec(details) ?? [];
  if (reason === undefined) return details;
  return reason === 'null' ? 'no connection yet' : reason;
}
