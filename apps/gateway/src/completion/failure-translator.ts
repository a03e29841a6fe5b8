import { Inject, Injectable } from '@nestjs/common';
import { APP_LOGGER, type Logger, newId } from '#lib/observability';
import { ApiError, internalError } from '#lib/openai';
import type { RequestLife } from './request-life.js';

/** Turns whatever went wrong into what a client may see; what nobody expected is logged under an error id. */
@Injectable()
export class FailureTranslator {
  constructor(@Inject(APP_LOGGER) private readonly logger: Logger) {}

  translate(cause: unknown, { requestId, route }: Pick<RequestLife, 'requestId' | 'route'>): ApiError {
    if (cause instanceof ApiError) return cause;
    const errorId = newId();
    this.logger.error({ request_id: requestId, route, error_id: errorId, error: cause }, 'unexpected error');
    return internalError(errorId, cause);
  }
}
