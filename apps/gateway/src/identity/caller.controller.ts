import { Controller, Get, Req } from '@nestjs/common';
import { ApiOperation, ApiProperty, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { type Principal, SCOPES } from '#lib/auth';
import { principalOf } from './rest-authentication.js';

class CallerResource {
  @ApiProperty({ enum: ['caller'] }) readonly object = 'caller';
  @ApiProperty({ enum: ['anonymous', 'api-key', 'jwt', 'certificate'], description: 'What the request showed.' })
  readonly kind: string;
  @ApiProperty() readonly tenant: string;
  @ApiProperty({ description: 'Service account, subject of the token, or name in the certificate.' })
  readonly subject: string;
  @ApiProperty({ type: [String] }) readonly roles: readonly string[];
  @ApiProperty({ enum: SCOPES, isArray: true }) readonly scopes: readonly string[];

  constructor({ kind, tenantId, subject, roles, scopes }: Principal) {
    this.kind = kind;
    this.tenant = tenantId;
    this.subject = subject;
    this.roles = roles;
    this.scopes = scopes;
  }
}

/** Who the gateway takes the caller for: any credential may ask. */
@ApiTags('operation')
@Controller('v1/me')
export class CallerController {
  @Get()
  @ApiOperation({ operationId: 'getCaller', summary: 'Whom your credential speaks for, and what it is good for.' })
  @ApiResponse({ status: 200, description: 'The caller.', type: CallerResource })
  read(@Req() request: FastifyRequest): CallerResource {
    return new CallerResource(principalOf(request));
  }
}
