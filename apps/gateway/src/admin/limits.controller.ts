import { Body, Controller, Get, Param, Put, Query, Req, UseGuards, UsePipes } from '@nestjs/common';
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { IdentityStore, type StoredKey } from '#lib/auth';
import { hasLimit, type Limits } from '#lib/limits';
import { modelNotFound } from '#lib/openai';
import { ModelDirectory } from '../fleet/model-directory.js';
import { ModelAccess } from '../identity/model-access.js';
import { principalOf } from '../identity/rest-authentication.js';
import { actorOfRequest } from './actor.js';
import { AdminGuard } from './admin-guard.js';
import { Authority } from './authority.js';
import { DtoPipe } from './dto-pipe.js';
import { SetLimits } from './limits-request.js';
import { oneMore, PageQuery, pageOf } from './page.js';
import { LimitsResource } from './resources.js';

/** Limits, quotas and budgets of a tenant, by operators; of its keys, by its administrators, too. */
@ApiTags('administration')
@Controller('v1/admin/tenants/:tenant/limits')
@UseGuards(AdminGuard)
@UsePipes(DtoPipe)
export class LimitsController {
  constructor(
    private readonly identity: IdentityStore,
    private readonly models: ModelDirectory,
    private readonly access: ModelAccess,
  ) {}

  @Get()
  @ApiOperation({ operationId: 'listLimits', summary: 'Limits of a tenant and of its keys.' })
  @ApiResponse({ status: 200, description: 'The list.', type: [LimitsResource] })
  async list(@Param('tenant') tenant: string, @Query() page: PageQuery) {
    const { limits, keys } = this.identity;
    const [stored, all] = await Promise.all([limits.list(tenant, oneMore(page)), keys.list(tenant)]);
    return pageOf(
      stored.map((one) => new LimitsResource(one, lastOf(all, one.keyId))),
      page,
    );
  }

  @Put()
  @ApiOperation({
    operationId: 'setLimits',
    summary: 'Sets the limits of a tenant (for operators) or of one of its keys.',
  })
  @ApiResponse({ status: 200, description: 'What holds now.', type: LimitsResource })
  async set(@Req() request: FastifyRequest, @Param('tenant') tenant: string, @Body() body: SetLimits) {
    const authority = new Authority(principalOf(request));
    const keys = body.key === undefined ? [] : await this.identity.keys.list(tenant);
    if (body.key === undefined) authority.assertOperator();
    else authority.assertKey(keys, body.key);
    const limits = body.toLimits();
    const modelId = body.model === undefined ? undefined : this.modelIdOf(body.model, limits);
    if (modelId !== undefined) {
      await this.access.assertMay(principalOf(request), 'administer', modelId, String(body.model));
    }
    const wish = { keyId: body.key, modelId, limits };
    const stored = await this.identity.limits.set(tenant, wish, actorOfRequest(request));
    return new LimitsResource(stored, lastOf(keys, stored.keyId));
  }

  /** Limits of a model that is gone can still be taken away. @throws ApiError model_not_found */
  private modelIdOf(name: string, limits: Limits): string {
    const modelId = this.models.knownIdOf(name);
    if (modelId !== undefined) return modelId;
    if (hasLimit(limits)) throw modelNotFound(name);
    return name;
  }
}

/** @param keys  the oldest first @returns the one that is used now, or will be, of those that came of each other by rotation */
function lastOf(keys: readonly StoredKey[], lineageId: string | undefined): string | undefined {
  return keys.findLast((key) => key.lineageId === lineageId)?.id;
}
