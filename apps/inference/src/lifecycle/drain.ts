import { Inject, Injectable } from '@nestjs/common';
import { APP_LOGGER, type Logger } from '#lib/observability';
import { Embeddings } from '../embedding/embeddings.js';
import { EngineHost } from '../engine/engine-host.js';
import { Generations } from '../session/generations.js';

/**
 * Takes nothing new, hands back what has not begun, lets what runs finish, and ends with a retryable failure what does not in time.
 * For good.
 */
@Injectable()
export class Drain {
  private readonly listeners: ((graceMs: number) => void)[] = [];

  constructor(
    private readonly generations: Generations,
    private readonly embeddings: Embeddings,
    private readonly host: EngineHost,
    @Inject(APP_LOGGER) private readonly logger: Logger,
  ) {}

  get hasBegun(): boolean {
    return this.generations.isDraining;
  }

  /** Called once, when it begins. */
  onBegin(listener: (graceMs: number) => void): void {
    this.listeners.push(listener);
  }

  /**
   * A later call may shorten the time that is left, not lengthen it.
   * @param graceMs  time for what runs; 0 for no limit
   * @returns generations that run or wait now
   */
  begin(graceMs: number, reason: string): number {
    const remaining = this.generations.size + this.embeddings.size;
    if (!this.hasBegun) {
      this.generations.isDraining = true;
      this.logger.info({ generations: remaining, grace_ms: graceMs }, `draining: ${reason}`);
      for (const listener of this.listeners) listener(graceMs); // the scheduler knows before gateways ask for other places
      this.host.engine.handBack();
    }
    if (graceMs > 0) {
      const timer = setTimeout(() => {
        this.generations.failAll('The worker was drained before this could end.');
        this.embeddings.failAll('The worker was drained before this could end.');
      }, graceMs);
      void this.untilDone().then(() => clearTimeout(timer));
    }
    return remaining;
  }

  /** Resolves when nothing runs any more. */
  async untilDone(): Promise<void> {
    await Promise.all([this.generations.untilIdle(), this.embeddings.untilIdle()]);
  }
}
