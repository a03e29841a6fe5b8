import type { EnginePhase, EngineTimeline } from '../engine-timeline.js';

/** Of one generation, so that a prompt of a million tokens has a bound, too: further chunks are joined to the last one. */
const MOST_PHASES = 256;

type Chunk = Extract<EnginePhase, { kind: 'prefill-chunk' }>;

/** Notes what happens to one generation. Times come on the loop's clock, in microseconds, and are told since its arrival. */
export class GenerationTimeline {
  private readonly phases: EnginePhase[] = [];

  constructor(private readonly arrivedUs: number) {}

  queued(endUs: number): void {
    this.phases.push({ kind: 'queued', startUs: 0, endUs: this.since(endUs) });
  }

  prefixLookup(sequenceIndex: number, startUs: number, endUs: number, cachedTokens: number): void {
    this.add({ kind: 'prefix-lookup', ...this.span(startUs, endUs), sequenceIndex, cachedTokens });
  }

  chunk(sequenceIndex: number, startUs: number, endUs: number, fromToken: number, toToken: number): void {
    const chunk: Chunk = {
      kind: 'prefill-chunk',
      ...this.span(startUs, endUs),
      sequenceIndex,
      fromToken,
      toToken,
      chunks: 1,
    };
    const last = this.phases.at(-1);
    if (this.phases.length < MOST_PHASES || last?.kind !== 'prefill-chunk') this.add(chunk);
    else this.phases[this.phases.length - 1] = { ...last, endUs: chunk.endUs, toToken, chunks: last.chunks + 1 };
  }

  preempted(sequenceIndex: number, atUs: number): void {
    this.add({ kind: 'preempted', ...this.span(atUs, atUs), sequenceIndex });
  }

  /** @param decode  its first and its last token */
  finish(endUs: number, decode: { firstUs: number; lastUs: number; tokens: number } | undefined): EngineTimeline {
    const phases =
      decode === undefined
        ? this.phases
        : [
            ...this.phases,
            { kind: 'decode' as const, ...this.span(decode.firstUs, decode.lastUs), tokens: decode.tokens },
          ];
    return { phases, endUs: this.since(endUs) };
  }

  private add(phase: EnginePhase): void {
    if (this.phases.length <= MOST_PHASES) this.phases.push(phase);
  }

  private span(startUs: number, endUs: number) {
    return { startUs: this.since(startUs), endUs: this.since(endUs) };
  }

  private since(atUs: number): number {
    return Math.round(atUs - this.arrivedUs);
  }
}
