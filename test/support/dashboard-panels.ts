import type { Dashboard, Panel } from '@grafana/grafana-foundation-sdk/dashboard';
import type { Dataquery } from '@grafana/grafana-foundation-sdk/prometheus';

export interface ShownPanel {
  readonly title: string;
  readonly description: string;
  readonly unit: string;
  /** In PromQL, with variables. */
  readonly queries: readonly string[];
  readonly links: readonly string[];
}

/** The panels of a dashboard, without the headings. */
export function panelsOf(dashboard: Dashboard): ShownPanel[] {
  return (dashboard.panels ?? [])
    .filter((panel): panel is Panel => panel.type !== 'row')
    .map(({ title = '', description = '', fieldConfig, targets = [], links = [] }) => ({
      title,
      description,
      unit: fieldConfig?.defaults.unit ?? '',
      queries: targets.map((target) => (target as Dataquery).expr),
      links: links.map(({ url = '' }) => url),
    }));
}
