import type { Fleet, FleetWorker } from '../api/resources.js';
import { age, bytes, count, duration, percent, rate } from '../widgets/quantities.js';
import { NumberHead, TableCard } from '../widgets/table-card.js';
import { quantile } from './latency-buckets.js';

export function WorkersTable({ fleet }: { readonly fleet: Fleet }) {
  const hasAdapters = fleet.workers.some(({ adapters }) => adapters.length > 0);
  return (
    <TableCard title="Workers">
      <thead>
        <tr>
          <th scope="col">Worker</th>
          <th scope="col">Engine</th>
          <th scope="col">Models</th>
          {hasAdapters && <th scope="col">Adapters</th>}
          <NumberHead title="Running" />
          <NumberHead title="Waiting" />
          <th scope="col">KV memory</th>
          <NumberHead title="Prefix hits" />
          <NumberHead title="Tokens/s" />
          <NumberHead title="Step" />
          <NumberHead title="Up" />
        </tr>
      </thead>
      <tbody>
        {fleet.workers.map((worker) => (
          <tr key={worker.id}>
            <th scope="row">
              {worker.id} <WorkerState worker={worker} />
            </th>
            <td>{[worker.engine, devicesOf(worker)].filter(Boolean).join(', ')}</td>
            <td>{worker.models.join(', ')}</td>
            {hasAdapters && <td>{worker.adapters.join(', ')}</td>}
            <td class="number">{count(worker.running)}</td>
            <td class="number">{count(worker.waiting)}</td>
            <td>
              <KvMeter worker={worker} />
            </td>
            <td class="number">{ratio(worker.prefix_hit_tokens, worker.prefix_query_tokens)}</td>
            <td class="number">{rate(worker.tokens_per_second)}</td>
            <td class="number">{worker.step_seconds > 0 ? duration(worker.step_seconds * 1_000) : '–'}</td>
            <td class="number">{age(fleet.observed_at_ms / 1_000 - worker.started_at)}</td>
          </tr>
        ))}
      </tbody>
    </TableCard>
  );
}

function WorkerState({ worker: { connected, draining, role } }: { readonly worker: FleetWorker }) {
  return (
    <>
      {!connected && <span class="badge bad">no session</span>}
      {draining && <span class="badge">draining</span>}
      {role !== 'unified' && <span class="badge">{role}</span>}
    </>
  );
}

function KvMeter({ worker: { id, kv_used_bytes, kv_total_bytes } }: { readonly worker: FleetWorker }) {
  if (kv_total_bytes === 0) return <>{kv_used_bytes === 0 ? '–' : bytes(kv_used_bytes)}</>;
  return (
    <span class="meter-line">
      <meter aria-label={`KV memory of ${id}`} min={0} max={kv_total_bytes} value={kv_used_bytes} />
      <span>
        {bytes(kv_used_bytes)} of {bytes(kv_total_bytes)}
      </span>
    </span>
  );
}

/** `2 × NVIDIA H100`; the CPU goes without saying. */
function devicesOf({ devices }: FleetWorker): string {
  const byName = new Map<string, number>();
  for (const { kind, name } of devices) {
    const word = kind === 'cpu' ? 'CPU' : name || kind;
    byName.set(word, (byName.get(word) ?? 0) + 1);
  }
  return [...byName].map(([name, number]) => (number === 1 ? name : `${number} × ${name}`)).join(', ');
}

export function ModelsTable({ fleet }: { readonly fleet: Fleet }) {
  const at = (share: number, counts: readonly number[]) => {
    const seconds = quantile(share, counts, fleet.latency_buckets_seconds);
    return seconds === undefined ? '–' : duration(seconds * 1_000);
  };
  return (
    <TableCard title="Models" hint="Counted by this gateway since it began.">
      <thead>
        <tr>
          <th scope="col">Model</th>
          <th scope="col">Weights</th>
          <NumberHead title="Context" />
          <NumberHead title="Workers" />
          <NumberHead title="Prompt tokens" />
          <NumberHead title="Cached" />
          <NumberHead title="Answer tokens" />
          <NumberHead title="TTFT p50" />
          <NumberHead title="TTFT p95" />
          <NumberHead title="ITL p50" />
        </tr>
      </thead>
      <tbody>
        {fleet.models.map((model) => (
          <tr key={model.id}>
            <th scope="row">{model.id}</th>
            <td>{[model.weights, model.numerics].filter(Boolean).join(', ')}</td>
            <td class="number">{count(model.context_tokens)}</td>
            <td class="number">{count(model.workers)}</td>
            <td class="number">{count(model.prompt_tokens)}</td>
            <td class="number">{ratio(model.cached_tokens, model.prompt_tokens)}</td>
            <td class="number">{count(model.completion_tokens)}</td>
            <td class="number">{at(0.5, model.ttft.counts)}</td>
            <td class="number">{at(0.95, model.ttft.counts)}</td>
            <td class="number">{at(0.5, model.itl.counts)}</td>
          </tr>
        ))}
      </tbody>
    </TableCard>
  );
}

function ratio(part: number, whole: number): string {
  return whole === 0 ? '–' : percent(part / whole);
}
