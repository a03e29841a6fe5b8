import type { ServerWritableStream } from '@grpc/grpc-js';
import { type BeforeApplicationShutdown, Injectable } from '@nestjs/common';
import type { FleetSnapshot, WatchRequest } from '#lib/contracts';
import { PlacementDesk } from './placement-desk.js';

export type WatchCall = ServerWritableStream<WatchRequest, FleetSnapshot>;

/** Least time between two snapshots to one watcher, in milliseconds: the contract of `Fleet.Watch`. */
const SNAPSHOT_INTERVAL_MS = 100;

/**
 * Sends the fleet's state to those who follow it. A watcher has at most one snapshot on its way, and nothing queued: what
 * changes meanwhile is in the next one, made when the one before has left. So a slow watcher costs one flag.
 */
@Injectable()
export class FleetWatchers implements BeforeApplicationShutdown {
  private readonly watchers = new Set<FleetWatcher>();
  private latest: FleetSnapshot | undefined;
  private snapshotCount = 0;

  constructor(private readonly desk: PlacementDesk) {
    desk.listen({ fleetChanged: () => this.noteChange() });
  }

  /** @param onEnd  called once, when nothing more will be sent to this watcher */
  watch(call: WatchCall, onEnd: () => void): void {
    const watcher = new FleetWatcher(
      call,
      () => this.snapshot(),
      () => {
        this.watchers.delete(watcher);
        onEnd();
      },
    );
    this.watchers.add(watcher);
    watcher.noteChange();
  }

  beforeApplicationShutdown(): void {
    for (const watcher of [...this.watchers]) watcher.end();
  }

  private noteChange(): void {
    this.latest = undefined;
    for (const watcher of this.watchers) watcher.noteChange();
  }

  private snapshot(): FleetSnapshot {
    this.latest ??= {
      sequence: ++this.snapshotCount,
      schedulerId: this.desk.schedulerId,
      schedulerEpoch: this.desk.schedulerEpoch,
      members: this.desk.fleet.snapshot().map((member) => ({
        registration: member.registration,
        report: member.report && { ...member.report, draining: member.isDraining, heldGenerationIds: [] },
        leases: member.leases,
      })),
      waitingGenerations: this.desk.queue.waitingCount,
    };
    return this.latest;
  }
}

class FleetWatcher {
  private hasNews = false;
  private isSending = false;
  private isOver = false;
  private pause: NodeJS.Timeout | undefined;

  constructor(
    private readonly call: WatchCall,
    private readonly snapshot: () => FleetSnapshot,
    private readonly onEnd: () => void,
  ) {
    call.once('cancelled', () => this.end());
    call.once('close', () => this.end());
    call.on('error', () => this.end());
  }

  noteChange(): void {
    this.hasNews = true;
    this.send();
  }

  end(): void {
    if (this.isOver) return;
    this.isOver = true;
    clearTimeout(this.pause);
    this.onEnd();
  }

  private send(): void {
    if (!this.hasNews || this.isSending || this.isOver || this.pause !== undefined) return;
    this.hasNews = false;
    this.isSending = true;
    this.call.write(this.snapshot(), () => {
      this.isSending = false;
      this.send();
    });
    this.pause = setTimeout(() => {
      this.pause = undefined;
      this.send();
    }, SNAPSHOT_INTERVAL_MS);
  }
}
