import type { PlaceRequest } from '#lib/contracts';
import type { RecordedSpan, RequestRecord, Tracing } from '#lib/observability';
import type { PlacementExplanation } from '#lib/placement';
import type { DeskAnswer } from './askers.js';

/** Of a decision, in a record: the chosen worker and those behind it. */
const MOST_CANDIDATES = 16;

/** Begins the record of a question for a place, in the trace of its request. */
export function beginPlacement(tracing: Tracing, wire: PlaceRequest): RequestRecord {
  const { trace, requestId, tenantId, generationId, modelId, promptTokens, attempt, priority } = wire;
  const record = tracing.beginWork({ trace, requestId, tenantId, generationId }, 'place');
  record.root.set({ 'gen_ai.request.model': modelId, 'hydra.prompt.tokens': promptTokens });
  if (attempt > 0) record.root.set({ 'hydra.attempt': attempt, 'hydra.avoided_workers': wire.avoidWorkerIds });
  if (priority !== 0) record.root.set({ 'hydra.priority': priority });
  return record;
}

/** The request has a place, or will have none. */
export function endPlacement({ recorder }: Tracing, record: RequestRecord, answer: DeskAnswer): void {
  const { root } = record;
  if (answer.kind === 'redirected') {
    root.set({ 'hydra.outcome': 'redirected' }).end();
    record.close();
    return;
  }
  root.set({ 'hydra.placement.waited_ms': Math.round(answer.waitedMs * 1_000) / 1_000 });
  if (answer.kind === 'refused') {
    const { reason, message } = answer.refusal;
    if (reason === 'superseded') root.set({ 'hydra.outcome': reason }).end();
    else root.fail({ type: reason, message });
  } else {
    const { lease, strategy, explanation, kvSources } = answer;
    root.set({
      'hydra.placement.strategy': strategy,
      'hydra.worker.id': lease.workerId,
      'hydra.lease.id': lease.leaseId,
      'hydra.placement.cached_tokens': lease.cachedTokens,
      'hydra.placement.fetches_from': kvSources.length === 0 ? undefined : kvSources.map(({ target }) => target).join(),
    });
    recorder.name(record, lease.leaseId);
    if (explanation !== undefined) explain(root, explanation);
  }
  record.close();
}

/** One event for each worker, the chosen one first: its terms, or why it was left out. */
function explain(span: RecordedSpan, { candidates, chosenWorkerId }: PlacementExplanation): void {
  const isChosen = ({ workerId }: { readonly workerId: string }) => Number(workerId === chosenWorkerId);
  const told = [...candidates].sort((a, b) => isChosen(b) - isChosen(a)).slice(0, MOST_CANDIDATES);
  for (const { workerId, terms, filteredBy } of told) {
    const why = filteredBy === '' ? termsOf(terms) : { 'hydra.placement.filtered_by': filteredBy };
    span.event('candidate', {
      'hydra.worker.id': workerId,
      'hydra.placement.chosen': workerId === chosenWorkerId,
      ...why,
    });
  }
  if (candidates.length > told.length) span.set({ 'hydra.placement.candidates': candidates.length });
}

/** To a thousandth: decisions are made with more, people read less. */
function termsOf(terms: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(
    Object.entries(terms).map(([name, value]) => [`hydra.placement.${name}`, Math.round(value * 1_000) / 1_000]),
  );
}
