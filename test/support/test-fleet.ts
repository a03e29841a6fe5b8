import { Server, ServerCredentials, type ServerDuplexStream } from '@grpc/grpc-js';
import { serverChannelOptions } from '#lib/channels';
import { type FleetDirective, FleetService, type WorkerEvent } from '#lib/contracts';

type JoinCall = ServerDuplexStream<WorkerEvent, FleetDirective>;
type Event = NonNullable<WorkerEvent['event']>;

/** A scheduler's end of `Fleet.Join`, for tests: it remembers what workers say and tells them what it is told to. */
export class TestFleet {
  readonly events: Event[] = [];
  joins = 0;
  /** Streams that a worker ended by itself. */
  leaves = 0;
  port = 0;
  private call: JoinCall | undefined;
  private server = new Server(serverChannelOptions());
  private waiters: (() => void)[] = [];

  /** @param port  0 takes a free one */
  async listen(port = 0): Promise<this> {
    this.server = new Server(serverChannelOptions());
    this.server.addService(FleetService, { join: (call: JoinCall) => this.accept(call) });
    this.port = await new Promise<number>((resolve, reject) =>
      this.server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error, bound) =>
        error ? reject(error) : resolve(bound),
      ),
    );
    return this;
  }

  get target(): string {
    return `127.0.0.1:${this.port}`;
  }

  of<C extends Event['$case']>($case: C): Extract<Event, { $case: C }>['value'][] {
    return this.events.filter((event) => event.$case === $case).map((event) => event.value as never);
  }

  tell(directive: NonNullable<FleetDirective['directive']>): void {
    this.call?.write({ directive });
  }

  async until(check: () => boolean): Promise<void> {
    while (!check()) await new Promise<void>((resolve) => this.waiters.push(resolve));
  }

  /** Breaks all connections, as when the process dies. */
  kill(): void {
    this.server.forceShutdown();
  }

  private accept(call: JoinCall): void {
    this.call = call;
    this.joins++;
    call.on('error', () => {});
    call.on('data', ({ event }: WorkerEvent) => {
      if (event === undefined) return;
      this.events.push(event);
      if (event.$case === 'registration') {
        const value = { schedulerId: 'scheduler', schedulerEpoch: 1, reportIntervalMs: 50 };
        this.tell({ $case: 'accepted', value });
      }
      this.wake();
    });
    call.on('end', () => {
      this.leaves++;
      call.end();
      this.wake();
    });
  }

  private wake(): void {
    for (const waiter of this.waiters.splice(0)) waiter();
  }
}
