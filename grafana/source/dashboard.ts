import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
import {
  type Dashboard,
  DashboardBuilder,
  DashboardCursorSync,
  DashboardLinkBuilder,
  DashboardLinkType,
  type Panel,
  RowBuilder,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { datasourceVariable, type Narrowing, narrowingVariable, runbookVariable } from './variables.js';

export interface DashboardSpecification {
  /** Of the file and in addresses: `hydraserve-NAME`. */
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly narrowedBy: readonly Narrowing[];
  /** Panels under their headings, from left to right, then down. */
  readonly rows: Readonly<Record<string, readonly Builder<Panel>[]>>;
}

const TAG = 'hydraserve';

export function dashboardOf({ name, title, description, narrowedBy, rows }: DashboardSpecification): Dashboard {
  const dashboard = new DashboardBuilder(`HydraServe / ${title}`)
    .uid(`hydraserve-${name}`)
    .description(description)
    .tags([TAG])
    .time({ from: 'now-1h', to: 'now' })
    .refresh('30s')
    .timezone('browser')
    .tooltip(DashboardCursorSync.Crosshair)
    .link(
      new DashboardLinkBuilder('HydraServe')
        .type(DashboardLinkType.Dashboards)
        .tags([TAG])
        .asDropdown(true)
        .keepTime(true),
    )
    .withVariable(datasourceVariable())
    .withVariable(runbookVariable());
  for (const narrowing of narrowedBy) dashboard.withVariable(narrowingVariable(narrowing));
  for (const [heading, panels] of Object.entries(rows)) {
    dashboard.withRow(new RowBuilder(heading));
    for (const panel of panels) dashboard.withPanel(panel);
  }
  return dashboard.build();
}
