import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { AdministrationError, IdentityStore } from '#lib/auth';
import { ApiError } from '#lib/openai';
import { principalOf } from '../identity/rest-authentication.js';
import { Authority } from './authority.js';
import { assertNames } from './path-names.js';

/**
 * Lets operators administer everything that there is, and administrators what is below their own tenant. A tenant of others looks to them
 * like one that does not exist. The scope `admin` was checked before.
 */
@Injectable()
export class AdminGuard implements CanActivate {
  constructor(private readonly identity: IdentityStore) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    const authority = new Authority(principalOf(request));
    const params = request.params as Readonly<Record<string, string>>;
    assertNames(params);
    const { tenant } = params;
    if (authority.isOperator) {
      if (tenant !== undefined) await this.identity.tenants.assertThere(tenant);
      return true;
    }
    if (!authority.isAdministrator || tenant === undefined) {
      throw new ApiError('insufficient_permissions', 'Your roles do not let you administer this.');
    }
    if (tenant !== authority.tenantId) throw new AdministrationError('not-found', `there is no tenant '${tenant}'`);
    return true;
  }
}
