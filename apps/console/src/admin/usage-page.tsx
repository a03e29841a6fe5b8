import { useMemo, useState } from 'preact/hooks';
import type { ApiClient } from '../api/api-client.js';
import type { Caller, UsageSum } from '../api/resources.js';
import { useResource } from '../api/use-resource.js';
import { Field } from '../widgets/field.js';
import { ProblemNotice } from '../widgets/problem-notice.js';
import { count } from '../widgets/quantities.js';
import { NumberHead, TableCard } from '../widgets/table-card.js';
import { TenantField } from './tenant-field.js';
import { type Dimension, GROUPINGS, type Grouping, RANGES_DAYS, totalOf, usageAddress } from './usage-query.js';
import { useTenant } from './use-tenant.js';

const HEADS: Readonly<Record<Dimension, string>> = { tenant: 'Tenant', key: 'Key', model: 'Model', day: 'Day' };
const ALL_TENANTS = '';
const INTERVAL_MS = 15_000;
const MICROS_PER_UNIT = 1_000_000;

/** What was used, from the ledger. */
export function UsagePage({ client, caller }: { readonly client: ApiClient; readonly caller: Caller }) {
  const { tenants } = useTenant(client, caller);
  const [tenant, setTenant] = useState(ALL_TENANTS);
  const [grouping, setGrouping] = useState<Grouping>('tenant-model');
  const [days, setDays] = useState<number>(RANGES_DAYS[2]);
  const address = useMemo(() => usageAddress(tenant, grouping, days, Date.now()), [tenant, grouping, days]);
  const usage = useResource<{ data: readonly UsageSum[]; has_more: boolean }>(client, address, {
    intervalMs: INTERVAL_MS,
  });
  const rows = usage.data?.data;

  return (
    <div class="page">
      <header class="page-head">
        <h1>Usage</h1>
        <div class="row">
          {tenants.length > 1 && (
            <TenantField tenants={tenants} tenant={tenant} all="all tenants" onChoose={setTenant} />
          )}
          <Field label="By">
            {(props) => (
              <select
                {...props}
                value={grouping}
                onChange={(event) => setGrouping(event.currentTarget.value as Grouping)}
              >
                {Object.entries(GROUPINGS).map(([name, { title }]) => (
                  <option key={name} value={name}>
                    {title}
                  </option>
                ))}
              </select>
            )}
          </Field>
          <Field label="Of">
            {(props) => (
              <select {...props} value={String(days)} onChange={(event) => setDays(Number(event.currentTarget.value))}>
                {RANGES_DAYS.map((value) => (
                  <option key={value} value={String(value)}>
                    {value === 1 ? 'today' : `the last ${value} days`}
                  </option>
                ))}
              </select>
            )}
          </Field>
        </div>
      </header>
      {usage.problem !== undefined && <ProblemNotice problem={usage.problem.facts} onRetry={usage.reload} />}
      {usage.isLoading && <div class="skeleton" aria-hidden="true" />}
      {rows?.length === 0 && (
        <section class="card empty">
          <h2>Nothing was used in this time</h2>
          <p>Requests appear here some seconds after they ended.</p>
        </section>
      )}
      {rows !== undefined && rows.length > 0 && (
        <UsageTable rows={rows} by={GROUPINGS[grouping].by} hasMore={usage.data?.has_more ?? false} />
      )}
    </div>
  );
}

interface TableProps {
  readonly rows: readonly UsageSum[];
  readonly by: readonly Dimension[];
  readonly hasMore: boolean;
}

function UsageTable({ rows, by, hasMore }: TableProps) {
  const total = totalOf(rows);
  const most = Math.max(...rows.map(tokensOf));
  return (
    <TableCard
      title="Tokens and costs"
      hint={hasMore ? 'There are more rows than these: take fewer days, or sum by less.' : undefined}
    >
      <thead>
        <tr>
          {by.map((dimension) => (
            <th key={dimension} scope="col">
              {HEADS[dimension]}
            </th>
          ))}
          <NumberHead title="Requests" />
          <NumberHead title="Prompt tokens" />
          <NumberHead title="Cached" />
          <NumberHead title="Answer tokens" />
          <NumberHead title="Cost" />
          <td />
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => {
          const names = by.map((dimension) => row[dimension] || '–');
          return (
            <tr key={names.join(' ')}>
              {names.map((name, index) =>
                index === 0 ? (
                  <th key={by[index]} scope="row">
                    {name}
                  </th>
                ) : (
                  <td key={by[index]}>{name}</td>
                ),
              )}
              <Sums row={row} />
              <td>
                <meter aria-label={`Tokens of ${names.join(', ')}`} min={0} max={most || 1} value={tokensOf(row)} />
              </td>
            </tr>
          );
        })}
      </tbody>
      <tfoot>
        <tr>
          <th scope="row" colSpan={by.length}>
            Total
          </th>
          <Sums row={total} />
          <td />
        </tr>
      </tfoot>
    </TableCard>
  );
}

function Sums({ row }: { readonly row: UsageSum }) {
  return (
    <>
      <td class="number">{count(row.requests)}</td>
      <td class="number">{count(row.prompt_tokens)}</td>
      <td class="number">{count(row.cached_tokens)}</td>
      <td class="number">{count(row.completion_tokens)}</td>
      <td class="number">{(row.cost_micros / MICROS_PER_UNIT).toFixed(4)}</td>
    </>
  );
}

function tokensOf({ prompt_tokens, completion_tokens }: UsageSum): number {
  return prompt_tokens + completion_tokens;
}
