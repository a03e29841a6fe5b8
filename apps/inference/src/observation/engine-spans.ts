import type { EnginePhase, EngineTimeline } from '#lib/engine';
import type { RecordedSpan } from '#lib/observability';

/**
 * Makes spans of what the engine did for a generation. Its clock is that of another thread: the end of its story is when the
 * story came.
 */
export function addEngineSpans(parent: RecordedSpan, { phases, endUs }: EngineTimeline): void {
  const beganMs = Math.max(parent.startMs, performance.now() - endUs / 1_000);
  const at = (us: number) => beganMs + us / 1_000;
  for (const phase of phases) {
    if (phase.kind === 'preempted') {
      parent.event('preempted', { 'hydra.sequence.index': phase.sequenceIndex }, at(phase.startUs));
      continue;
    }
    const span = parent.child(NAMES[phase.kind], 'internal', at(phase.startUs));
    span.set(attributesOf(phase)).end(at(phase.endUs));
  }
}

const NAMES = {
  queued: 'engine.queued',
  'prefix-lookup': 'engine.prefix_lookup',
  'prefill-chunk': 'engine.prefill_chunk',
  decode: 'engine.decode',
} as const;

function attributesOf(phase: Exclude<EnginePhase, { kind: 'preempted' }>) {
  switch (phase.kind) {
    case 'queued':
      return {};
    case 'prefix-lookup':
      return { 'hydra.sequence.index': phase.sequenceIndex, 'hydra.cached_tokens': phase.cachedTokens };
    case 'prefill-chunk':
      return {
        'hydra.sequence.index': phase.sequenceIndex,
        'hydra.tokens.from': phase.fromToken,
        'hydra.tokens.to': phase.toToken,
        ...(phase.chunks > 1 && { 'hydra.chunks': phase.chunks }),
      };
    case 'decode':
      return { 'hydra.tokens': phase.tokens };
    default:
      return phase satisfies never;
  }
}
