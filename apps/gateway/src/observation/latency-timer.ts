import type { FrameEntry } from '#lib/contracts';
import type { GatewayMetrics } from './gateway-metrics.js';

/** Measures what the client waits for: arrival to first token, and the gaps between the tokens of each sequence. */
export class LatencyTimer {
  private readonly lastAtMs = new Map<number, number>();

  constructor(
    private readonly metrics: GatewayMetrics,
    private readonly modelId: string,
    private readonly arrivedAtMs: number,
  ) {}

  get hasStarted(): boolean {
    return this.lastAtMs.size > 0;
  }

  tokens(promptIndex: number, entry: FrameEntry): void {
    if (entry.tokenIds.length === 0) return;
    const nowMs = performance.now();
    if (!this.hasStarted) this.metrics.firstToken(this.modelId, nowMs - this.arrivedAtMs);
    const sequence = promptIndex * 4_096 + entry.sequenceIndex;
    const lastMs = this.lastAtMs.get(sequence);
    this.lastAtMs.set(sequence, nowMs);
    if (lastMs !== undefined) this.metrics.tokenGap(this.modelId, nowMs - lastMs);
  }
}
