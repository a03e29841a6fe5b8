import type { PlaceRequest } from '#lib/contracts';
import { DeferredAttributes, type RecordedSpan, type RequestRecord, type Tracing } from '#lib/observability';
import { ExplainedWorker, type PlacementExplanation, type PlacementTerms } from '#lib/placement';
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
function explain(span: RecordedSpan, explanation: PlacementExplanation): void {
  const { candidates, chosenWorkerId, chosenTerms } = explanation;
  const chosen = candidates.find(({ workerId }) => workerId === chosenWorkerId)!; // it is one of them
  const first = [chosen];
  for (const candidate of candidates) {
    if (first.length === MOST_CANDIDATES) break;
    if (candidate !== chosen) first.push(candidate);
  }
  const isCut = candidates.length > first.length;
  // A record is kept for long: it is not to hold what is known of a whole fleet.
  const told = isCut ? ExplainedWorker.copiesOf(first) : first;
  const terms = countOf(chosenTerms);
  for (const candidate of told) tell(span, candidate, terms, candidate.workerId === chosenWorkerId);
  if (isCut) span.set({ 'hydra.placement.candidates': candidates.length });
}

function tell(span: RecordedSpan, candidate: ExplainedWorker, terms: number, isChosen: boolean): void {
  const { workerId, filteredBy } = candidate;
  const attributes = new DeferredAttributes(2 + (filteredBy === '' ? terms : 1), () => ({
    'hydra.worker.id': workerId,
    'hydra.placement.chosen': isChosen,
    ...(filteredBy === '' ? termsOf(candidate.terms) : { 'hydra.placement.filtered_by': filteredBy }),
  }));
  span.event('candidate', attributes);
}

function countOf(terms: PlacementTerms): number {
  let count = 0;
  for (const _ in terms) count++;
  return count;
}

/** To a thousandth: decisions are made with more, people read less. */
function termsOf(terms: PlacementTerms): Record<string, number> {
  return Object.fromEntries(
    Object.entries(terms).map(([name, value]) => [`hydra.placement.${name}`, Math.round(value * 1_000) / 1_000]),
  );
}
