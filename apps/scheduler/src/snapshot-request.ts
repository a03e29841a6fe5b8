import type { FleetDirective, KvEvents } from '#lib/contracts';
import { nowMs } from './scheduler-clock.js';

/** A member's stream, where it is asked for a snapshot of all that it holds: not for each message meanwhile, and again when none comes. */
export class SnapshotRequest {
  private askedMs: number | undefined;

  constructor(
    private readonly call: { write(directive: FleetDirective): unknown },
    private readonly repeatAfterMs: number,
  ) {}

  noteReceived({ snapshot }: KvEvents): void {
    if (snapshot) this.askedMs = undefined;
  }

  ask(): void {
    if (this.askedMs !== undefined && nowMs() - this.askedMs < this.repeatAfterMs) return;
    this.askedMs = nowMs();
    this.call.write({ directive: { $case: 'requestKvSnapshot', value: {} } });
  }
}
