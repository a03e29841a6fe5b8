import { BUILT_IN_ROLES, type Principal, type Scope, type StoredKey } from '#lib/auth';
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

  /**
   * @param keys  of the tenant; one that is not among them is for the store to refuse
   * @throws ApiError for a key that may do more than could be given
   */
  assertKey(keys: readonly StoredKey[], id: string): void {
    const key = keys.find((one) => one.id === id);
    this.assertRoles(key?.roles ?? []);
    this.assertScopes(key?.scopes ?? []);
  }

  /** @throws ApiError */
  assertOperator(): void {
    if (!this.isOperator) throw new ApiError('insufficient_permissions', 'Only operators may do this.');
  }
}
