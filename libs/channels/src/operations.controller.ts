import { status } from '@grpc/grpc-js';
import { Controller, Inject } from '@nestjs/common';
import { GrpcMethod, RpcException } from '@nestjs/microservices';
import type { FindRecordsRequest, FindRecordsResponse, SetLogLevelRequest, SetLogLevelResponse } from '#lib/contracts';
import { APP_LOGGER, type Logger, LogLevel, Tracing } from '#lib/observability';
import { toWireRecords } from './wire-records.js';

/** `hydra.internal.v1.Operations`: what schedulers and workers tell gateways about themselves. */
@Controller()
export class OperationsController {
  constructor(
    private readonly tracing: Tracing,
    private readonly logLevel: LogLevel,
    @Inject(APP_LOGGER) private readonly logger: Logger,
  ) {}

  @GrpcMethod('Operations', 'findRecords')
  findRecords({ id, tenantId }: FindRecordsRequest): FindRecordsResponse {
    return { records: toWireRecords(this.tracing, String(this.logger.bindings()['app']), id, tenantId) };
  }

  @GrpcMethod('Operations', 'setLogLevel')
  setLogLevel({ level, forMs }: SetLogLevelRequest): SetLogLevelResponse {
    if (!(level in this.logger.levels.values) && level !== 'silent') {
      throw new RpcException({ code: status.INVALID_ARGUMENT, message: `there is no level '${level}'` });
    }
    const { app, before } = this.logLevel.set(level, forMs);
    this.logger.warn({ level, before, for_ms: forMs }, 'what is logged was changed');
    return { app, level, before };
  }
}
