import { useState } from 'preact/hooks';
import type { ApiClient } from '../api/api-client.js';
import type { Caller, List, Tenant } from '../api/resources.js';
import { type Resource, readPages, useResource } from '../api/use-resource.js';

export interface TenantChoice {
  /** Those that the caller may look at. */
  readonly tenants: readonly string[];
  readonly tenant: string;
  choose(tenant: string): void;
  readonly list: Resource<List<Tenant>>;
}

/** Operators see all tenants, others their own. */
export function useTenant(client: ApiClient, caller: Caller): TenantChoice {
  const isOperator = caller.roles.includes('operator') && caller.scopes.includes('admin');
  const list = useResource<List<Tenant>>(client, isOperator ? '/v1/admin/tenants' : undefined, { read: readPages });
  const [chosen, setChosen] = useState(caller.tenant);
  const tenants = list.data?.data.map(({ id }) => id) ?? [caller.tenant];
  return { tenants, tenant: chosen, choose: setChosen, list };
}
