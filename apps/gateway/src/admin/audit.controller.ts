import { Controller, Get, Query, UseGuards, UsePipes } from '@nestjs/common';
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import { IdentityStore } from '#lib/auth';
import { AdminGuard } from './admin-guard.js';
import { DtoPipe } from './dto-pipe.js';
import { oneMore, pageOf } from './page.js';
import { AuditQuery } from './requests.js';
import { AuditResource } from './resources.js';

/** Every act of administration, for operators. */
@ApiTags('administration')
@Controller('v1/admin/audit')
@UseGuards(AdminGuard)
@UsePipes(DtoPipe)
export class AuditController {
  constructor(private readonly identity: IdentityStore) {}

  @Get()
  @ApiOperation({ operationId: 'listAudit', summary: 'What was done, newest first.' })
  @ApiResponse({ status: 200, description: 'A page.', type: [AuditResource] })
  async list(@Query() page: AuditQuery) {
    if (page.tenant !== undefined) await this.identity.tenants.assertThere(page.tenant);
    const entries = await this.identity.changes.audit(page.tenant, oneMore(page));
    return pageOf(
      entries.map((entry) => new AuditResource(entry)),
      page,
    );
  }
}
