import { useState } from 'preact/hooks';
import type { ApiClient } from '../api/api-client.js';
import type { ApiKey, Caller, List } from '../api/resources.js';
import { readPages, useResource } from '../api/use-resource.js';
import { Icon } from '../widgets/icon.js';
import { ProblemNotice } from '../widgets/problem-notice.js';
import { day } from '../widgets/quantities.js';
import { TableCard } from '../widgets/table-card.js';
import { inOrder, keyState } from './key-state.js';
import { NewKeyDialog } from './new-key-dialog.js';
import { RevokeDialog } from './revoke-dialog.js';
import { TenantField } from './tenant-field.js';
import { useTenant } from './use-tenant.js';

type OpenDialog = { readonly kind: 'new' } | { readonly kind: 'revoke'; readonly key: ApiKey };

/** API keys of a tenant: made, shown once, revoked. */
export function KeysPage({ client, caller }: { readonly client: ApiClient; readonly caller: Caller }) {
  const { tenants, tenant, choose, list } = useTenant(client, caller);
  const address = `/v1/admin/tenants/${encodeURIComponent(tenant)}/keys`;
  const keys = useResource<List<ApiKey>>(client, address, { read: readPages });
  const [dialog, setDialog] = useState<OpenDialog | undefined>(undefined);
  const problem = list.problem ?? keys.problem;
  const nowS = Date.now() / 1_000;
  const done = () => {
    setDialog(undefined);
    keys.reload();
  };

  return (
    <div class="page">
      <header class="page-head">
        <h1>Keys</h1>
        <div class="row">
          {tenants.length > 1 && <TenantField tenants={tenants} tenant={tenant} onChoose={choose} />}
          <button type="button" class="primary" onClick={() => setDialog({ kind: 'new' })}>
            <Icon name="new" /> New key
          </button>
        </div>
      </header>
      {problem !== undefined && <ProblemNotice problem={problem.facts} onRetry={keys.reload} />}
      {keys.isLoading && <div class="skeleton" aria-hidden="true" />}
      {keys.data?.data.length === 0 && (
        <section class="card empty">
          <h2>No keys yet</h2>
          <p>A key speaks for a service account of this tenant, with the scopes it is given.</p>
        </section>
      )}
      {keys.data !== undefined && keys.data.data.length > 0 && (
        <TableCard title={`Keys of ${tenant}`}>
          <thead>
            <tr>
              <th scope="col">Key</th>
              <th scope="col">Account</th>
              <th scope="col">Roles</th>
              <th scope="col">Scopes</th>
              <th scope="col">Made</th>
              <th scope="col">Last used</th>
              <th scope="col">Expires</th>
              <td />
            </tr>
          </thead>
          <tbody>
            {inOrder(keys.data.data, nowS).map((key) => {
              const state = keyState(key, nowS);
              return (
                <tr key={key.id} data-state={state}>
                  <th scope="row">
                    <code>{key.id}</code> {state !== 'good' && <span class="badge bad">{state}</span>}
                  </th>
                  <td>{key.account}</td>
                  <td>{key.roles.join(', ')}</td>
                  <td>{key.scopes.join(', ')}</td>
                  <td>{day(key.created_at)}</td>
                  <td>{key.last_used_at === null ? 'never' : day(key.last_used_at)}</td>
                  <td>{key.expires_at === null ? 'never' : day(key.expires_at)}</td>
                  <td class="number">
                    {state === 'good' && (
                      <button
                        type="button"
                        class="danger small"
                        aria-label={`Revoke ${key.id}`}
                        onClick={() => setDialog({ kind: 'revoke', key })}
                      >
                        Revoke
                      </button>
                    )}
                  </td>
                </tr>
              );
            })}
          </tbody>
        </TableCard>
      )}
      {dialog?.kind === 'new' && <NewKeyDialog client={client} tenant={tenant} onClose={done} />}
      {dialog?.kind === 'revoke' && (
        <RevokeDialog client={client} address={address} apiKey={dialog.key} onClose={done} />
      )}
    </div>
  );
}
