import type { RecordedSpan } from '#lib/observability';
import type { AnswerDelta } from '#lib/openai';
import type { GatewayMetrics } from './gateway-metrics.js';

/** Measures what the client waits for: arrival to first token and, of a stream, the gaps between the tokens of each choice. */
export class LatencyTimer {
  /** By choice. */
  private readonly lastAtMs = new Map<number, number>();
  private firstAfterMs: number | undefined;

  constructor(
    private readonly metrics: GatewayMetrics,
    private readonly modelId: string,
    private readonly arrivedAtMs: number,
    private readonly isStreamed: boolean,
    private readonly span: RecordedSpan,
  ) {}

  get hasStarted(): boolean {
    return this.lastAtMs.size > 0;
  }

  /** From arrival to the first token; undefined while there is none. */
  get firstTokenMs(): number | undefined {
    return this.firstAfterMs;
  }

  /** Choices that have tokens. */
  get choiceCount(): number {
    return this.lastAtMs.size;
  }

  observe({ choiceIndex, tokenIds }: AnswerDelta): void {
    if (tokenIds.length === 0) return;
    const nowMs = performance.now();
    if (!this.hasStarted) {
      this.firstAfterMs = nowMs - this.arrivedAtMs;
      this.metrics.firstToken(this.modelId, this.firstAfterMs, this.span.exemplar);
      this.span.set({ 'gen_ai.response.time_to_first_chunk': this.firstAfterMs / 1_000 });
      this.span.event('first_token', {}, nowMs);
    }
    const lastMs = this.lastAtMs.get(choiceIndex);
    this.lastAtMs.set(choiceIndex, nowMs);
    if (lastMs !== undefined && this.isStreamed) {
      this.metrics.tokenGap(this.modelId, nowMs - lastMs, this.span.exemplar);
    }
  }
}
