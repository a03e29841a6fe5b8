import { Body, Controller, Delete, Get, HttpCode, Param, Post, Query, Req, UseGuards, UsePipes } from '@nestjs/common';
import { ApiBody, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { IdentityStore } from '#lib/auth';
import { ApiError } from '#lib/openai';
import { principalOf } from '../identity/rest-authentication.js';
import { actorOfRequest } from './actor.js';
import { AdminGuard } from './admin-guard.js';
import { Authority } from './authority.js';
import { DtoPipe } from './dto-pipe.js';
import { oneMore, PageQuery, pageOf } from './page.js';
import { CreateKey, RotateKey } from './requests.js';
import { KeyResource, NewKeyResource } from './resources.js';

/** Keys of a tenant. */
@ApiTags('administration')
@Controller('v1/admin/tenants/:tenant/keys')
@UseGuards(AdminGuard)
@UsePipes(DtoPipe)
export class KeysController {
  constructor(private readonly identity: IdentityStore) {}

  @Get()
  @ApiOperation({ operationId: 'listKeys', summary: 'Keys of a tenant, without what they are made of.' })
  @ApiResponse({ status: 200, description: 'The list.', type: [KeyResource] })
  async list(@Param('tenant') tenant: string, @Query() page: PageQuery) {
    const keys = await this.identity.keys.list(tenant, oneMore(page));
    return pageOf(
      keys.map((key) => new KeyResource(key)),
      page,
    );
  }

  @Post()
  @ApiOperation({ operationId: 'createKey', summary: 'Makes a key. The answer is the only place where it is shown.' })
  @ApiResponse({ status: 201, description: 'The key.', type: NewKeyResource })
  async create(@Req() request: FastifyRequest, @Param('tenant') tenantId: string, @Body() body: CreateKey) {
    const authority = new Authority(principalOf(request));
    authority.assertScopes(body.scopes);
    const accounts = await this.identity.tenants.accounts(tenantId);
    authority.assertRoles(accounts.find(({ name }) => name === body.account)?.roles ?? []);
    const expiresAtMs = body.expires_at === undefined ? undefined : body.expires_at * 1_000;
    if (expiresAtMs !== undefined && expiresAtMs <= Date.now()) {
      throw new ApiError('invalid_value', "Invalid 'expires_at': it lies in the past.", { param: 'expires_at' });
    }
    const wish = { tenantId, accountName: body.account, scopes: body.scopes, expiresAtMs };
    const { key, text } = await this.identity.keys.create(wish, actorOfRequest(request));
    return new NewKeyResource(key, text);
  }

  @Post(':id/rotate')
  @ApiOperation({
    operationId: 'rotateKey',
    summary: 'Makes a key in the place of another one, which stays good for a while.',
  })
  @ApiBody({ type: RotateKey, required: false })
  @ApiResponse({ status: 201, description: 'The new key.', type: NewKeyResource })
  async rotate(
    @Req() request: FastifyRequest,
    @Param('tenant') tenant: string,
    @Param('id') id: string,
    @Body() body: RotateKey,
  ) {
    const authority = new Authority(principalOf(request));
    authority.assertKey(await this.identity.keys.list(tenant), id);
    const made = await this.identity.keys.rotate(tenant, id, body.overlap_s * 1_000, actorOfRequest(request));
    return new NewKeyResource(made.key, made.text);
  }

  @Delete(':id')
  @HttpCode(204)
  @ApiOperation({ operationId: 'revokeKey', summary: 'Ends a key at once.' })
  @ApiResponse({ status: 204, description: 'Done.' })
  async revoke(@Req() request: FastifyRequest, @Param('tenant') tenant: string, @Param('id') id: string) {
    new Authority(principalOf(request)).assertKey(await this.identity.keys.list(tenant), id);
    await this.identity.keys.revoke(tenant, id, 0, actorOfRequest(request));
  }
}
