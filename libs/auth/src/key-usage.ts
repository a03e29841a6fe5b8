import type { IdentityStore } from './identity-store.js';

/** Writing the last use of each key this often costs little and is exact enough to find keys nobody uses. */
const FLUSH_INTERVAL_MS = 10_000;

/** Notes when keys are used, and writes it down now and then: no request waits for it. */
export class KeyUsage {
  private usedAtMs = new Map<string, number>();
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly store: IdentityStore,
    private readonly onFailure: (error: unknown) => void,
  ) {}

  /** As many entries as keys are used between two flushes. */
  used(keyId: string): void {
    this.usedAtMs.set(keyId, Date.now());
    this.timer ??= setTimeout(() => void this.flush(), FLUSH_INTERVAL_MS).unref();
  }

  async flush(): Promise<void> {
    clearTimeout(this.timer);
    this.timer = undefined;
    const usedAtMs = this.usedAtMs;
    this.usedAtMs = new Map();
    try {
      await this.store.keys.touch(usedAtMs);
    } catch (error) {
      this.onFailure(error); // lost: the next use writes a newer time
    }
  }
}
