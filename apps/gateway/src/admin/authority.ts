import { BUILT_IN_ROLES, type Principal, type Scope } from '#lib/auth';
import { ApiError } from '#lib/openai';

/** What one who administers may hand on: nobody gives more than he has. */
export class Authority {
  readonly isOperator: boolean;
  /** Of its own tenant. */
  readonly isAdministrator: boolean;
  readonly tenantId: string;
  private readonly roles: readonly string[];

  constructor({ roles, tenantId }: Principal) {
    this.isOperator = roles.includes(BUILT_IN_ROLES.operator);
    this.isAdministrator = roles.includes(BUILT_IN_ROLES.admin);
    this.tenantId = tenantId;
    this.roles = [...roles, BUILT_IN_ROLES.user];
  }

  /** @throws ApiError for a role that only somebody with more may give, or speak for */
  assertRoles(roles: readonly string[]): void {
    const stranger = this.isOperator ? undefined : roles.find((role) => !this.roles.includes(role));
    if (stranger === undefined) return;
    throw new ApiError('insufficient_permissions', `You may only give roles that you have; '${stranger}' is not one.`);
  }

  /** @throws ApiError for `metrics`, which shows all tenants */
  assertScopes(scopes: readonly Scope[]): void {
    if (this.isOperator || !scopes.includes('metrics')) return;
    throw new ApiError('insufficient_permissions', "Only operators may give the scope 'metrics'.");
  }

  /** @throws ApiError */
  assertOperator(): void {
    if (!this.isOperator) throw new ApiError('insufficient_permissions', 'Only operators may do this.');
  }
}
