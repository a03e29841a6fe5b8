import { Body, Controller, Get, HttpCode, Param, Patch, Post, Query, Req, UseGuards, UsePipes } from '@nestjs/common';
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { IdentityStore } from '#lib/auth';
import { principalOf } from '../identity/rest-authentication.js';
import { actorOfRequest } from './actor.js';
import { AdminGuard } from './admin-guard.js';
import { Authority } from './authority.js';
import { DtoPipe } from './dto-pipe.js';
import { oneMore, PageQuery, pageOf } from './page.js';
import { ChangeServiceAccount, ChangeTenant, CreateServiceAccount, CreateTenant } from './requests.js';
import { ServiceAccountResource, TenantResource } from './resources.js';

/** Tenants, for operators; service accounts, for the administrators of their tenant, too. */
@ApiTags('administration')
@Controller('v1/admin/tenants')
@UseGuards(AdminGuard)
@UsePipes(DtoPipe)
export class TenantsController {
  constructor(private readonly identity: IdentityStore) {}

  @Get()
  @ApiOperation({ operationId: 'listTenants', summary: 'All tenants, by id.' })
  @ApiResponse({ status: 200, description: 'The list.', type: [TenantResource] })
  async list(@Query() page: PageQuery) {
    const tenants = await this.identity.tenants.list(oneMore(page));
    return pageOf(
      tenants.map((tenant) => new TenantResource(tenant)),
      page,
    );
  }

  @Post()
  @ApiOperation({ operationId: 'createTenant', summary: 'Makes a tenant.' })
  @ApiResponse({ status: 201, description: 'It.', type: TenantResource })
  async create(@Req() request: FastifyRequest, @Body() body: CreateTenant) {
    return new TenantResource(await this.identity.tenants.create(body, actorOfRequest(request)));
  }

  @Patch(':tenant')
  @HttpCode(204)
  @ApiOperation({ operationId: 'changeTenant', summary: 'Suspends a tenant, or lets it in again; for operators.' })
  @ApiResponse({ status: 204, description: 'Done.' })
  async change(@Req() request: FastifyRequest, @Param('tenant') tenant: string, @Body() body: ChangeTenant) {
    new Authority(principalOf(request)).assertOperator();
    await this.identity.tenants.setState(tenant, body.state, actorOfRequest(request));
  }

  @Get(':tenant/accounts')
  @ApiOperation({ operationId: 'listServiceAccounts', summary: 'Service accounts of a tenant.' })
  @ApiResponse({ status: 200, description: 'The list.', type: [ServiceAccountResource] })
  async accounts(@Param('tenant') tenant: string, @Query() page: PageQuery) {
    const accounts = await this.identity.tenants.accounts(tenant, oneMore(page));
    return pageOf(
      accounts.map((account) => new ServiceAccountResource(account)),
      page,
    );
  }

  @Post(':tenant/accounts')
  @ApiOperation({
    operationId: 'createServiceAccount',
    summary: 'Makes a service account. Administrators give roles that they have themselves, and `user`.',
  })
  @ApiResponse({ status: 201, description: 'It.', type: ServiceAccountResource })
  async createAccount(
    @Req() request: FastifyRequest,
    @Param('tenant') tenantId: string,
    @Body() { name, roles }: CreateServiceAccount,
  ) {
    new Authority(principalOf(request)).assertRoles(roles);
    const account = await this.identity.tenants.createAccount({ tenantId, name, roles }, actorOfRequest(request));
    return new ServiceAccountResource(account);
  }

  @Patch(':tenant/accounts/:account')
  @HttpCode(204)
  @ApiOperation({
    operationId: 'changeServiceAccount',
    summary:
      'Gives a service account, and so its keys, other roles. Administrators change nobody who has more than they.',
  })
  @ApiResponse({ status: 204, description: 'Done.' })
  async changeAccount(
    @Req() request: FastifyRequest,
    @Param('tenant') tenantId: string,
    @Param('account') name: string,
    @Body() { roles }: ChangeServiceAccount,
  ) {
    const accounts = await this.identity.tenants.accounts(tenantId);
    const before = accounts.find((account) => account.name === name)?.roles ?? [];
    new Authority(principalOf(request)).assertRoles([...before, ...roles]);
    await this.identity.tenants.setRoles(tenantId, name, roles, actorOfRequest(request));
  }
}
