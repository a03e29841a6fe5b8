import { useEffect, useMemo, useState } from 'preact/hooks';
import type { ApiClient } from '../api/api-client.js';
import type { Fleet } from '../api/resources.js';
import { useResource } from '../api/use-resource.js';
import { Field } from '../widgets/field.js';
import { ProblemNotice } from '../widgets/problem-notice.js';
import { count, duration, percent, rate } from '../widgets/quantities.js';
import { CurveChart } from './curve-chart.js';
import { type FleetHistory, type FleetSummary, type Moment, momentsOf, remember, summaryOf } from './fleet-history.js';
import { ModelsTable, WorkersTable } from './fleet-tables.js';
import './fleet.css';

/** Time between looks, in milliseconds. */
const INTERVAL_MS = 2_000;
const ALL_MODELS = '';

/** The fleet as it lives; nobody looks while the page is hidden. */
export function FleetPage({ client }: { readonly client: ApiClient }) {
  const { data: fleet, problem, reload } = useResource<Fleet>(client, '/v1/fleet', { intervalMs: INTERVAL_MS });
  const [history, setHistory] = useState<FleetHistory>([]);
  const [model, setModel] = useState(ALL_MODELS);
  useEffect(() => {
    if (fleet !== undefined) setHistory((known) => remember(known, fleet));
  }, [fleet]);
  const moments = useMemo(() => momentsOf(history, model || undefined), [history, model]);
  const timesMs = useMemo(() => moments.map(({ atMs }) => atMs), [moments]);
  const curve = (name: string, of: keyof Moment) => ({ name, values: moments.map((moment) => moment[of]) });
  const summary = summaryOf(history);

  return (
    <div class="page">
      <header class="page-head">
        <h1>Fleet</h1>
        {fleet !== undefined && fleet.models.length > 1 && (
          <Field label="Latencies of">
            {(props) => (
              <select {...props} value={model} onChange={(event) => setModel(event.currentTarget.value)}>
                <option value={ALL_MODELS}>all models</option>
                {fleet.models.map(({ id }) => (
                  <option key={id}>{id}</option>
                ))}
              </select>
            )}
          </Field>
        )}
      </header>
      {problem !== undefined && <ProblemNotice problem={problem.facts} onRetry={reload} />}
      {summary === undefined && problem === undefined && <div class="skeleton" aria-hidden="true" />}
      {summary !== undefined && <Tiles summary={summary} />}
      {fleet !== undefined && (
        <>
          <div class="charts">
            <CurveChart
              title="Time to first token"
              about="of the last 30 s"
              timesMs={timesMs}
              curves={[curve('p50', 'ttftP50'), curve('p95', 'ttftP95')]}
              format={duration}
            />
            <CurveChart
              title="Time between tokens"
              about="of the last 30 s"
              timesMs={timesMs}
              curves={[curve('p50', 'itlP50'), curve('p95', 'itlP95')]}
              format={duration}
            />
            <CurveChart
              title="Throughput"
              about="of all workers"
              timesMs={timesMs}
              curves={[curve('tokens/s', 'tokensPerSecond')]}
              format={rate}
            />
            <CurveChart
              title="Generations"
              about="in batches and queues"
              timesMs={timesMs}
              curves={[curve('running', 'running'), curve('waiting', 'waiting')]}
              format={count}
            />
          </div>
          {fleet.workers.length > 0 ? <WorkersTable fleet={fleet} /> : <NoWorkers />}
          {fleet.models.length > 0 && <ModelsTable fleet={fleet} />}
          <p class="hint">
            As {fleet.gateway} sees it (version {fleet.version}), with{' '}
            {fleet.schedulers.filter(({ connected }) => connected).length} of {fleet.schedulers.length} schedulers;
            every {INTERVAL_MS / 1_000} seconds while this page is looked at.
          </p>
        </>
      )}
    </div>
  );
}

function Tiles({ summary }: { readonly summary: FleetSummary }) {
  const { workers, connectedWorkers, inFlight, waiting, tokensPerSecond, kvRatio, hitRatio } = summary;
  const tiles = [
    { name: 'Workers', value: connectedWorkers === workers ? count(workers) : `${connectedWorkers} of ${workers}` },
    { name: 'In flight', value: count(inFlight) },
    { name: 'Queue', value: count(waiting) },
    { name: 'Tokens/s', value: rate(tokensPerSecond) },
    { name: 'KV in use', value: kvRatio === undefined ? '–' : percent(kvRatio) },
    { name: 'Prefix hits', value: hitRatio === undefined ? '–' : percent(hitRatio) },
  ];
  return (
    <dl class="tiles">
      {tiles.map(({ name, value }) => (
        <div key={name} class="card">
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function NoWorkers() {
  return (
    <section class="card empty">
      <h2>No worker has registered</h2>
      <p>A worker appears here as soon as it has joined a scheduler.</p>
    </section>
  );
}
