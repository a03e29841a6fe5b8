import type { EngineState } from '../engine.js';

/** Looks per timeout: a hang is found between one timeout and a quarter more. */
const LOOKS_PER_TIMEOUT = 4;

export interface WatchdogOptions {
  /** Longest time without progress, in milliseconds: longer than any legitimate step. */
  readonly timeoutMs: number;
  /** Whether the engine has something to do at all. */
  readonly isBusy: () => boolean;
  /** Asks the engine for its state, which comes to `heard`, unless it hangs. */
  readonly ask: () => void;
  /** Called once; the watchdog has stopped then. */
  readonly onHang: () => void;
}

/**
 * Notices that an engine in another thread hangs: with generations open, it neither answers nor ends a step. Silence
 * alone is no hang, because generations without credit rest. It counts looks rather than time, so that a process that
 * was itself suspended or blocked does not take its own silence for the engine's.
 */
export class Watchdog {
  private timer: NodeJS.Timeout | undefined;
  private looksWithoutProgress = 0;
  private lastSteps = 0;

  constructor(private readonly options: WatchdogOptions) {}

  start(): void {
    this.stop();
    this.looksWithoutProgress = 0;
    this.timer = setInterval(() => this.look(), this.options.timeoutMs / LOOKS_PER_TIMEOUT);
    this.timer.unref();
  }

  stop(): void {
    clearInterval(this.timer);
    this.timer = undefined;
  }

  heard({ steps, isStepping }: EngineState): void {
    if (isStepping && steps === this.lastSteps) return; // it lives, but its step may not end
    this.lastSteps = steps;
    this.looksWithoutProgress = 0;
  }

  private look(): void {
    if (!this.options.isBusy()) {
      this.looksWithoutProgress = 0;
      return;
    }
    if (this.looksWithoutProgress >= LOOKS_PER_TIMEOUT) {
      this.stop();
      this.options.onHang();
      return;
    }
    this.looksWithoutProgress++;
    this.options.ask();
  }
}
