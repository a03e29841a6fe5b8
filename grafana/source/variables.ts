import type { DataSourceRef } from '@grafana/grafana-foundation-sdk/common';
import {
  ConstantVariableBuilder,
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  VariableRefresh,
  VariableSort,
} from '@grafana/grafana-foundation-sdk/dashboard';

/** The Prometheus that was chosen on top of the dashboard. */
// biome-ignore lint/suspicious/noTemplateCurlyInString: Grafana fills it in
export const DATASOURCE: DataSourceRef = { type: 'prometheus', uid: '${datasource}' };

/** What panels can be narrowed to, and the metric that knows all values. */
const SOURCES = {
  model: { label: 'Model', query: 'label_values(hydra_scheduler_waiting_requests, model)' },
  worker: { label: 'Worker', query: 'label_values(hydra_worker_engine_up, worker)' },
  tenant: { label: 'Tenant', query: 'label_values(hydra_gateway_tenant_tokens_total, tenant)' },
} as const;

export type Narrowing = keyof typeof SOURCES;

export function datasourceVariable(): DatasourceVariableBuilder {
  return new DatasourceVariableBuilder('datasource').label('Prometheus').type('prometheus');
}

/** Where the runbook is; the chart puts `monitoring.runbookUrl` there. */
export function runbookVariable(): ConstantVariableBuilder {
  return new ConstantVariableBuilder('runbook').value('docs/operations.md');
}

/** Any number of values, all at first. */
export function narrowingVariable(name: Narrowing): QueryVariableBuilder {
  const { label, query } = SOURCES[name];
  return new QueryVariableBuilder(name)
    .label(label)
    .query(query)
    .datasource(DATASOURCE)
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .sort(VariableSort.AlphabeticalAsc)
    .multi(true)
    .includeAll(true)
    .allValue('.*')
    .current({ selected: true, text: 'All', value: '$__all' });
}
