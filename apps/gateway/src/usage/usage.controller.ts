import { Controller, Get, Query, Req, Res, UsePipes } from '@nestjs/common';
import { ApiOperation, ApiProduces, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { AdministrationError, IdentityStore } from '#lib/auth';
import { UsageLedger } from '#lib/ledger';
import { periodNumber, periodStartMs } from '#lib/limits';
import { ApiError } from '#lib/openai';
import { Authority } from '../admin/authority.js';
import { DtoPipe } from '../admin/dto-pipe.js';
import { principalOf } from '../identity/rest-authentication.js';
import { JSON_TYPE } from '../rest/error.filter.js';
import { UsageQuery } from './usage-request.js';
import { toCsv, UsageResource } from './usage-resource.js';

const SUMS = ['requests', 'prompt_tokens', 'cached_tokens', 'completion_tokens', 'cost_micros'] as const;

/** What was used: operators see all of it, others what their tenant has. A tenant of others looks like one that does not exist. */
@ApiTags('usage')
@Controller('v1/usage')
@UsePipes(DtoPipe)
export class UsageController {
  constructor(
    private readonly ledger: UsageLedger,
    private readonly identity: IdentityStore,
  ) {}

  @Get()
  @ApiOperation({
    operationId: 'listUsage',
    summary: 'Tokens and costs by tenant, key, model and day, up to some seconds ago.',
  })
  @ApiResponse({ status: 200, description: 'The sums, or CSV.', type: [UsageResource] })
  @ApiProduces('application/json', 'text/csv')
  async list(@Req() request: FastifyRequest, @Res() reply: FastifyReply, @Query() query: UsageQuery): Promise<void> {
    const authority = new Authority(principalOf(request));
    if (!authority.isOperator && query.tenant !== undefined && query.tenant !== authority.tenantId) {
      throw new AdministrationError('not-found', `there is no tenant '${query.tenant}'`, 'tenant');
    }
    if (authority.isOperator && query.tenant !== undefined) await this.identity.tenants.assertThere(query.tenant);
    const today = periodNumber('day', Date.now());
    const monthStart = periodNumber('day', periodStartMs('month', periodNumber('month', Date.now())));
    const fromDay = query.from === undefined ? monthStart : dayNumber(query.from);
    const toDay = query.to === undefined ? today : dayNumber(query.to);
    if (fromDay > toDay) {
      const param = query.from === undefined ? 'to' : 'from';
      throw new ApiError('invalid_value', `Invalid '${param}': the first day comes after the last one.`, { param });
    }
    const sums = await this.ledger.sums({
      tenantId: authority.isOperator ? query.tenant : authority.tenantId,
      ...{ keyId: query.key, modelId: query.model, by: query.by },
      fromDay,
      toDay,
      limit: query.limit + 1,
    });
    const rows = sums.slice(0, query.limit).map((sum) => new UsageResource(sum));
    const hasMore = sums.length > query.limit;
    if (query.format === 'csv') {
      const csv = toCsv([...query.by, ...SUMS], rows);
      void reply.header('content-type', 'text/csv; charset=utf-8').header('x-has-more', String(hasMore)).send(csv);
    } else {
      void reply
        .header('content-type', JSON_TYPE)
        .send(JSON.stringify({ object: 'list', data: rows, has_more: hasMore }));
    }
  }
}

/** Days since the Unix epoch of `2026-11-30`. */
function dayNumber(text: string): number {
  return periodNumber('day', Date.parse(text));
}
