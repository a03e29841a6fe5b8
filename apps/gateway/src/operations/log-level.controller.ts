import { Body, Controller, Put, Req, UseGuards, UsePipes } from '@nestjs/common';
import { ApiOperation, ApiProperty, ApiResponse, ApiTags } from '@nestjs/swagger';
import { IsIn, IsInt, IsOptional, IsString, Matches, Max, Min } from 'class-validator';
import type { FastifyRequest } from 'fastify';
import { IdentityStore } from '#lib/auth';
import { LOG_LEVELS } from '#lib/config';
import { ApiError } from '#lib/openai';
import { actorOfRequest } from '../admin/actor.js';
import { AdminGuard } from '../admin/admin-guard.js';
import { DtoPipe } from '../admin/dto-pipe.js';
import { FleetOperations } from './fleet-operations.js';

const MOST_SECONDS = 7 * 86_400;

class SetLogLevel {
  @ApiProperty({ enum: LOG_LEVELS })
  @IsString()
  @IsIn(LOG_LEVELS)
  readonly level!: string;

  @ApiProperty({
    required: false,
    description: '`gateway`, `scheduler`, `kvcache`, or the id of a worker; all when absent.',
  })
  @IsOptional()
  @IsString()
  @Matches(/^[\x21-\x7e]{1,128}$/, { message: 'expected the name of an app' })
  readonly app?: string;

  @ApiProperty({
    ...{ type: 'integer', minimum: 1, maximum: MOST_SECONDS, required: false },
    description: 'After which the level from before comes back; absent for never.',
  })
  @IsOptional()
  @IsInt()
  @Min(1)
  @Max(MOST_SECONDS)
  readonly for_seconds?: number;
}

class LogLevelResource {
  @ApiProperty({ enum: ['log_level'] }) readonly object = 'log_level';
  @ApiProperty({ description: '`gateway`, `scheduler`, `kvcache`, or the id of a worker.' }) readonly app!: string;
  @ApiProperty({ enum: LOG_LEVELS }) readonly level!: string;
  @ApiProperty({ enum: LOG_LEVELS, description: 'What held until now.' }) readonly before!: string;
}

class LogLevelsResource {
  @ApiProperty({ enum: ['list'] }) readonly object = 'list';
  @ApiProperty({ type: [LogLevelResource] }) readonly data!: readonly LogLevelResource[];
  @ApiProperty({ type: [String], description: 'Apps that did not answer: nothing changed there.' })
  readonly unreachable!: readonly string[];
}

/** The level of logs while apps run, for operators. This gateway alone answers for gateways: others are asked by themselves. */
@ApiTags('administration')
@Controller('v1/admin/log-level')
@UseGuards(AdminGuard)
@UsePipes(DtoPipe)
export class LogLevelController {
  constructor(
    private readonly operations: FleetOperations,
    private readonly identity: IdentityStore,
  ) {}

  @Put()
  @ApiOperation({ operationId: 'setLogLevel', summary: 'Changes what apps log, for good or for a time.' })
  @ApiResponse({ status: 200, description: 'What changed.', type: LogLevelsResource })
  async set(
    @Req() request: FastifyRequest,
    @Body() { level, app, for_seconds }: SetLogLevel,
  ): Promise<LogLevelsResource> {
    const { changes, unreachable } = await this.operations.setLogLevel({
      level,
      app,
      forMs: (for_seconds ?? 0) * 1_000,
    });
    if (changes.length === 0 && unreachable.length === 0) {
      throw new ApiError('not_found', 'There is no app of this name.', { param: 'app' });
    }
    const act = { action: 'log-level-set', target: app ?? 'all', details: { level, for_seconds, unreachable } };
    await this.identity.changes.note(actorOfRequest(request), { tenantId: undefined, ...act });
    const data = changes.map((change) => ({ object: 'log_level' as const, ...change }));
    return { object: 'list', data, unreachable };
  }
}
