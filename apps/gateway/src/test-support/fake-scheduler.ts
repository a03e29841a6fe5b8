import {
  Server,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
  type status,
} from '@grpc/grpc-js';
import { MessageBundle, serverChannelOptions } from '#lib/channels';
import {
  FleetService,
  type FleetSnapshot,
  type LeaseRelease,
  PlacementService,
  type PlaceRequest,
  type PlaceResponse,
  type PlaceStreamRequest,
  type PlaceStreamResponse,
  RefusalReason,
  type ReleaseLeasesRequest,
  type RenewLeasesRequest,
  type WatchRequest,
} from '#lib/contracts';
import { bind, type FakeWorker } from './fake-worker.js';
import { Signal } from './signal.js';

type PlaceStreamCall = ServerDuplexStream<PlaceStreamRequest, PlaceStreamResponse>;
type Answer = NonNullable<PlaceStreamResponse['answer']>;

/** A scheduler that speaks the real protocol: places on its workers in turn, or does what the test says. */
export class FakeScheduler {
  readonly changed = new Signal();
  readonly places: PlaceRequest[] = [];
  /** The leases of each call to renew. */
  readonly renewals: (readonly string[])[] = [];
  /** Leases it says it does not know when they are to be renewed. */
  readonly unknownLeaseIds = new Set<string>();
  readonly releases: LeaseRelease[] = [];
  /** Calls of `ReleaseLeases`; what comes on the stream of places needs none. */
  releaseCalls = 0;
  /** Unset to be a scheduler of before it was so. */
  takesReleases = true;
  /** The same. */
  takesFurther = true;
  /** Messages on streams of places. */
  placeMessages = 0;
  /** Messages back. */
  answerMessages = 0;
  /** Place calls that the gateway cancelled. */
  cancelledPlaces = 0;
  leaseTtlMs = 15_000;
  /** Said with every lease. */
  earlierUses: number[] = [];
  /** Set to keep requests waiting: they are answered when it resolves. */
  gate: Promise<void> | undefined;
  refusal: RefusalReason | undefined;
  /** Set to fail calls to place with this status. */
  failure: status | undefined;
  private readonly watchers = new Set<ServerWritableStream<WatchRequest, FleetSnapshot>>();
  private server: Server | undefined;
  private port = 0;
  private sequence = 0;
  private epoch = 1;

  constructor(public workers: FakeWorker[]) {}

  async listen(): Promise<this> {
    this.server = new Server(serverChannelOptions());
    this.server.addService(PlacementService, {
      place: () => {}, // gateways ask over the stream
      placeStream: (call: PlaceStreamCall) => this.placeStream(call),
      renewLeases: (call: ServerUnaryCall<RenewLeasesRequest, unknown>, reply: sendUnaryData<unknown>) => {
        const { leaseIds } = call.request;
        this.renewals.push(leaseIds);
        reply(null, { unknownLeaseIds: leaseIds.filter((leaseId) => this.unknownLeaseIds.has(leaseId)) });
        this.changed.fire();
      },
      releaseLeases: (call: ServerUnaryCall<ReleaseLeasesRequest, unknown>, reply: sendUnaryData<unknown>) => {
        this.releaseCalls++;
        this.release(call.request);
        reply(null, {});
      },
    });
    this.server.addService(FleetService, {
      join: () => {},
      watch: (call: ServerWritableStream<WatchRequest, FleetSnapshot>) => {
        this.watchers.add(call);
        call.on('cancelled', () => this.watchers.delete(call));
        call.write(this.snapshot());
      },
    });
    this.port = await bind(this.server, this.port);
    return this;
  }

  get target(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** Tells watchers of a changed fleet. */
  publish(): void {
    for (const watcher of this.watchers) watcher.write(this.snapshot());
  }

  /** Another life of the scheduler, which knows no workers yet. */
  async restartEmpty(): Promise<void> {
    this.kill();
    this.epoch++;
    this.workers = [];
    await this.listen();
  }

  kill(): void {
    this.watchers.clear();
    this.server?.forceShutdown();
  }

  async untilPlaced(count: number): Promise<void> {
    await this.changed.until(() => this.places.length >= count);
  }

  async released(leaseId: string): Promise<LeaseRelease> {
    const find = () => this.releases.find((release) => release.leaseId === leaseId);
    await this.changed.until(() => find() !== undefined);
    return find() as LeaseRelease;
  }

  private placeStream(call: PlaceStreamCall): void {
    const cancelled = new Set<number>();
    let isGathering = false;
    const answers = new MessageBundle<PlaceStreamResponse>(process.nextTick, (first, further) => {
      this.answerMessages++;
      const { takesReleases, takesFurther } = this;
      call.write({ ...first, further: [...further], takesReleases, takesFurther });
    });
    const take = ({ callId, ask }: PlaceStreamRequest) => {
      if (ask?.$case === 'cancel') {
        cancelled.add(callId);
        this.cancelledPlaces++;
        this.changed.fire();
      } else if (ask?.$case === 'release') {
        this.release(ask.value);
      } else if (ask?.value.request !== undefined) {
        const reply = (answer: Answer) => {
          if (cancelled.has(callId)) return;
          const part = { callId, answer, further: [], takesReleases: false, takesFurther: false };
          if (isGathering) answers.add(part);
          else answers.send(part);
        };
        void this.place(ask.value.request, reply);
      }
    };
    call.on('data', (message: PlaceStreamRequest) => {
      this.placeMessages++;
      isGathering = this.takesFurther && message.takesFurther;
      take(message);
      for (const ask of message.further) take(ask);
    });
    call.on('error', () => {}); // a gateway that ends
    call.on('end', () => call.end());
  }

  private release({ releases }: ReleaseLeasesRequest): void {
    this.releases.push(...releases);
    this.changed.fire();
  }

  private async place(request: PlaceRequest, answer: (answer: Answer) => void): Promise<void> {
    const reply = (value: PlaceResponse) => answer({ $case: 'response', value });
    const number = this.places.push(request);
    this.changed.fire();
    await this.gate;
    if (this.failure !== undefined) {
      return answer({ $case: 'failure', value: { code: this.failure, message: 'as the test wants' } });
    }
    const serving = this.workers.filter((worker) => worker.modelId === request.modelId);
    if (serving.length === 0 && request.asksOthers) {
      return reply({ outcome: { $case: 'redirect', value: { target: '' } }, waitedUs: 0, explanation: undefined });
    }
    const worker = serving.find(({ workerId }) => !request.avoidWorkerIds.includes(workerId)) ?? serving[0];
    const reason = worker === undefined ? RefusalReason.NO_WORKER : this.refusal;
    if (worker === undefined || reason !== undefined) {
      const value = { reason: reason ?? RefusalReason.NO_WORKER, message: '', retryAfterMs: 3_000 };
      reply({ outcome: { $case: 'refused', value }, waitedUs: 0, explanation: undefined });
      return;
    }
    const { workerId, workerEpoch, target } = worker.registration;
    const lease = {
      ...{ leaseId: `lease-${number}`, workerId, workerEpoch, target, leaseTtlMs: this.leaseTtlMs },
      ...{ expiresAtUnixMs: Date.now() + this.leaseTtlMs, attempt: request.attempt, kvSources: [] },
      earlierUses: this.earlierUses,
      expectedCachedTokens: 0,
      term: 0,
    };
    const explanation = request.explain ? this.explanation(workerId) : undefined;
    reply({ outcome: { $case: 'lease', value: lease }, waitedUs: 0, explanation });
  }

  private explanation(chosenWorkerId: string) {
    const terms = { cost: 1.23456 };
    const candidates = this.workers.map(({ workerId }) => ({ workerId, terms, filteredBy: '' }));
    return { strategy: 'in turn', candidates, chosenWorkerId, fetchedFromWorkerId: '', fetchedFromCacheIds: [] };
  }

  private snapshot(): FleetSnapshot {
    const members = this.workers.map(({ registration }) => ({ registration, report: undefined, leases: 0 }));
    this.sequence++;
    const { sequence, epoch: schedulerEpoch } = this;
    return { sequence, schedulerId: 'scheduler', schedulerEpoch, members, waitingGenerations: 0 };
  }
}
