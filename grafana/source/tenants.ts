import type { DashboardSpecification } from './dashboard.js';
import { graph, stat } from './panels.js';
import { rateBy } from './rates.js';

const TENANT = 'tenant=~"$tenant"';

export const tenants: DashboardSpecification = {
  name: 'tenants',
  title: 'Tenants',
  description: 'What tenants use, what is refused to them and why, and whether it can be counted.',
  narrowedBy: ['tenant'],
  rows: {
    'In the time shown': [
      stat({
        title: 'Tokens',
        description: 'Tokens of prompts and answers that count for the tenants.',
        unit: 'short',
        queries: [{ expr: `sum(increase(hydra_gateway_tenant_tokens_total{${TENANT}}[$__range]))`, legend: 'tokens' }],
      }),
      stat({
        title: 'Cost',
        description: 'In the currency of the prices.',
        unit: 'short',
        queries: [{ expr: `sum(increase(hydra_gateway_tenant_cost_total{${TENANT}}[$__range]))`, legend: 'cost' }],
      }),
      stat({
        title: 'Refused',
        description: 'Requests over a limit.',
        unit: 'short',
        queries: [
          { expr: `sum(increase(hydra_gateway_limited_requests_total{${TENANT}}[$__range]))`, legend: 'refused' },
        ],
      }),
    ],
    Use: [
      graph({
        title: 'Tokens by tenant',
        description: 'Tokens of prompts and answers each second.',
        unit: 'short',
        queries: [rateBy(['tenant', 'kind'], 'hydra_gateway_tenant_tokens_total', TENANT)],
      }),
      graph({
        title: 'Cost by tenant',
        description: 'Each hour at the present pace, in the currency of the prices.',
        unit: 'short',
        queries: [
          {
            expr: `3600 * sum by (tenant) (rate(hydra_gateway_tenant_cost_total{${TENANT}}[$__rate_interval]))`,
            legend: '{{tenant}}',
          },
        ],
      }),
    ],
    Refusals: [
      graph({
        title: 'Over a limit',
        description: 'Requests refused each second, by tenant and limit.',
        unit: 'reqps',
        queries: [rateBy(['tenant', 'limit'], 'hydra_gateway_limited_requests_total', TENANT)],
      }),
      graph({
        title: 'Not let in',
        description: 'Requests without a good key or the right scope, each second, by why.',
        unit: 'reqps',
        queries: [rateBy(['reason'], 'hydra_gateway_authentications_failed_total')],
      }),
      graph({
        title: 'Clients that left',
        description: 'Before the first token, or in the midst of a stream, each second.',
        unit: 'reqps',
        queries: [rateBy(['phase'], 'hydra_gateway_aborted_clients_total')],
      }),
    ],
    Counting: [
      graph({
        title: 'Redis, where limits are counted',
        description: '1 while a gateway reaches it; with limits.redisUrl alone.',
        unit: 'none',
        thresholds: { warning: 1, critical: 0.5 },
        alert: 'HydraQuotaStoreAway',
        queries: [{ expr: 'min by (instance) (hydra_gateway_shared_limits_up)', legend: '{{instance}}' }],
      }),
      graph({
        title: 'Usage that waits for the database',
        description: 'Entries that are not in the ledger yet; at 20,000 a gateway refuses requests.',
        unit: 'short',
        thresholds: { warning: 5_000, critical: 15_000 },
        alert: 'HydraUsageLedgerBehind',
        queries: [{ expr: 'max by (instance) (hydra_gateway_usage_entries_waiting)', legend: '{{instance}}' }],
      }),
    ],
  },
};
