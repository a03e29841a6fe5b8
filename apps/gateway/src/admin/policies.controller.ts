import { Body, Controller, Delete, Get, HttpCode, Param, Post, Query, Req, UseGuards, UsePipes } from '@nestjs/common';
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { IdentityStore } from '#lib/auth';
import { principalOf } from '../identity/rest-authentication.js';
import { actorOfRequest } from './actor.js';
import { AdminGuard } from './admin-guard.js';
import { Authority } from './authority.js';
import { DtoPipe } from './dto-pipe.js';
import { oneMore, PageQuery, pageOf } from './page.js';
import { CreatePolicy } from './requests.js';
import { PolicyResource } from './resources.js';

/** Policies of a tenant or of all: written by operators, since they also bound what administrators may do. */
@ApiTags('administration')
@Controller('v1/admin')
@UseGuards(AdminGuard)
@UsePipes(DtoPipe)
export class PoliciesController {
  constructor(private readonly identity: IdentityStore) {}

  @Get('tenants/:tenant/policies')
  @ApiOperation({ operationId: 'listPolicies', summary: 'What holds in a tenant: its own policies and those of all.' })
  @ApiResponse({ status: 200, description: 'The list.', type: [PolicyResource] })
  async list(@Param('tenant') tenant: string, @Query() page: PageQuery) {
    const policies = await this.identity.policies.list(tenant, oneMore(page));
    return pageOf(
      policies.map((policy) => new PolicyResource(policy)),
      page,
    );
  }

  @Post('tenants/:tenant/policies')
  @ApiOperation({ operationId: 'createPolicy', summary: 'Says what a role may do in a tenant; for operators.' })
  @ApiResponse({ status: 201, description: 'The policy.', type: PolicyResource })
  create(@Req() request: FastifyRequest, @Param('tenant') tenant: string, @Body() body: CreatePolicy) {
    return this.make(request, tenant, body);
  }

  @Delete('tenants/:tenant/policies/:id')
  @HttpCode(204)
  @ApiOperation({ operationId: 'deletePolicy', summary: 'Takes back a policy of a tenant; for operators.' })
  @ApiResponse({ status: 204, description: 'Done.' })
  async delete(@Req() request: FastifyRequest, @Param('tenant') tenant: string, @Param('id') id: string) {
    new Authority(principalOf(request)).assertOperator();
    await this.identity.policies.delete(tenant, id, actorOfRequest(request));
  }

  @Post('policies')
  @ApiOperation({ operationId: 'createCommonPolicy', summary: 'Says what a role may do in every tenant.' })
  @ApiResponse({ status: 201, description: 'The policy.', type: PolicyResource })
  createCommon(@Req() request: FastifyRequest, @Body() body: CreatePolicy) {
    return this.make(request, undefined, body);
  }

  @Delete('policies/:id')
  @HttpCode(204)
  @ApiOperation({ operationId: 'deleteCommonPolicy', summary: 'Takes back a policy of every tenant.' })
  @ApiResponse({ status: 204, description: 'Done.' })
  async deleteCommon(@Req() request: FastifyRequest, @Param('id') id: string) {
    await this.identity.policies.delete(undefined, id, actorOfRequest(request));
  }

  private async make(request: FastifyRequest, tenantId: string | undefined, body: CreatePolicy) {
    new Authority(principalOf(request)).assertOperator();
    const { role, actions, models } = body;
    const { context_tokens: contextTokens, max_tokens: maxTokens, choices, priority } = body.caps;
    const wish = { tenantId, role, actions, models, caps: { contextTokens, maxTokens, choices, priority } };
    return new PolicyResource(await this.identity.policies.create(wish, actorOfRequest(request)));
  }
}
