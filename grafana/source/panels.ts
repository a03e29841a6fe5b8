import {
  BigValueGraphMode,
  ReduceDataOptionsBuilder,
  VizLegendOptionsBuilder,
} from '@grafana/grafana-foundation-sdk/common';
import {
  DashboardLinkBuilder,
  DashboardLinkType,
  ThresholdsConfigBuilder,
  ThresholdsMode,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { DataqueryBuilder } from '@grafana/grafana-foundation-sdk/prometheus';
import { PanelBuilder as StatBuilder } from '@grafana/grafana-foundation-sdk/stat';
import { PanelBuilder as TimeSeriesBuilder } from '@grafana/grafana-foundation-sdk/timeseries';
import { DATASOURCE } from './variables.js';

/** Grafana's names of the units that panels have. */
export type Unit = 's' | 'bytes' | 'percentunit' | 'short' | 'reqps' | 'watt' | 'none' | 'dtdurations';

/** Values from which a panel turns yellow and red; the other way round where less is worse. */
export interface Thresholds {
  readonly warning: number;
  readonly critical: number;
}

export interface PanelQuery {
  readonly expr: string;
  readonly legend: string;
  /** Of a histogram whose values point to traces: they are drawn as dots that lead there. */
  readonly hasExemplars?: boolean;
}

export interface PanelSpecification {
  readonly title: string;
  /** What the values say, for whoever looks at it for the first time. */
  readonly description: string;
  readonly unit: Unit;
  readonly queries: readonly PanelQuery[];
  readonly thresholds?: Thresholds;
  /** The alert on whose page of the runbook it is told what to do. */
  readonly alert?: string;
}

/** Of 24 columns. */
const STAT_COLUMNS = 4;
const GRAPH_COLUMNS = 12;

/** One large number: the last value. */
export function stat(specification: PanelSpecification): StatBuilder {
  return dressed(new StatBuilder(), specification)
    .graphMode(BigValueGraphMode.Area)
    .reduceOptions(new ReduceDataOptionsBuilder().calcs(['lastNotNull']).values(false))
    .height(4)
    .span(STAT_COLUMNS);
}

/** Lines over time; two beside each other. */
export function graph(specification: PanelSpecification): TimeSeriesBuilder {
  return dressed(new TimeSeriesBuilder(), specification)
    .min(0)
    .lineWidth(1)
    .fillOpacity(10)
    .legend(new VizLegendOptionsBuilder().calcs(['lastNotNull', 'max']))
    .height(8)
    .span(GRAPH_COLUMNS);
}

function dressed<Builder extends StatBuilder | TimeSeriesBuilder>(
  builder: Builder,
  { title, description, unit, queries, thresholds, alert }: PanelSpecification,
): Builder {
  builder.title(title).description(description).unit(unit).datasource(DATASOURCE).noValue('no data');
  if (thresholds !== undefined) builder.thresholds(thresholdSteps(thresholds));
  if (alert !== undefined) builder.links([runbookLink(alert)]);
  queries.forEach(({ expr, legend, hasExemplars = false }, index) => {
    const refId = String.fromCharCode('A'.charCodeAt(0) + index);
    const query = new DataqueryBuilder().refId(refId).expr(expr).legendFormat(legend).range().datasource(DATASOURCE);
    builder.withTarget(hasExemplars ? query.exemplar(true) : query);
  });
  return builder;
}

function thresholdSteps({ warning, critical }: Thresholds): ThresholdsConfigBuilder {
  const isLessWorse = critical < warning;
  const steps = isLessWorse
    ? [
        { value: null, color: 'red' },
        { value: critical, color: 'yellow' },
        { value: warning, color: 'green' },
      ]
    : [
        { value: null, color: 'green' },
        { value: warning, color: 'yellow' },
        { value: critical, color: 'red' },
      ];
  return new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps(steps);
}

function runbookLink(alert: string): DashboardLinkBuilder {
  return new DashboardLinkBuilder(`Runbook: ${alert}`)
    .type(DashboardLinkType.Link)
    .url(`\${runbook}#${alert.toLowerCase()}`)
    .targetBlank(true);
}
