import { Inject, Injectable } from '@nestjs/common';
import { AdministrationError } from '#lib/auth';
import { APP_LOGGER, type Logger, newId } from '#lib/observability';
import { ApiError, internalError } from '#lib/openai';
import { maskKeys } from '#lib/secrets';

/** What a failure is of. */
export interface FailedRequest {
  readonly route: string;
  /** Correlate its log lines: `request_id` and what else is known. */
  readonly logFields: Readonly<Record<string, unknown>>;
}

/** Turns whatever went wrong into what a client may see, without the keys that it may have put there itself; what nobody expected is logged under an error id. */
@Injectable()
export class FailureTranslator {
  constructor(@Inject(APP_LOGGER) private readonly logger: Logger) {}

  translate(cause: unknown, request: FailedRequest): ApiError {
    const error = this.toApiError(cause, request);
    const { message, param } = error;
    return Object.assign(error, { message: maskKeys(message), param: param && maskKeys(param) });
  }

  private toApiError(cause: unknown, { route, logFields }: FailedRequest): ApiError {
    if (cause instanceof ApiError) return cause;
    if (cause instanceof AdministrationError) return fromAdministration(cause);
    const errorId = newId();
    this.logger.error({ ...logFields, route, error_id: errorId, error: cause }, 'unexpected error');
    return internalError(errorId, cause);
  }
}

const CONDITIONS = { 'not-found': 'not_found', conflict: 'already_exists' } as const;

function fromAdministration(cause: AdministrationError): ApiError {
  const message = `${cause.message.charAt(0).toUpperCase()}${cause.message.slice(1, 200).toWellFormed()}.`;
  return new ApiError(CONDITIONS[cause.reason], message, { param: cause.field, cause });
}
