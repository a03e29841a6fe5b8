import { type ServerDuplexStream, status } from '@grpc/grpc-js';
import { type BeforeApplicationShutdown, Inject, Injectable } from '@nestjs/common';
import { RpcException } from '@nestjs/microservices';
import { MessageBundle } from '#lib/channels';
import type { PlaceStreamCall, PlaceStreamRequest, PlaceStreamResponse, ReleaseLeasesRequest } from '#lib/contracts';
import { APP_LOGGER, type Logger } from '#lib/observability';
import { LeaseReleases } from './lease-releases.js';
import { type OpenPlaceCall, PlaceCalls } from './place-calls.js';

export type PlaceStream = ServerDuplexStream<PlaceStreamRequest, PlaceStreamResponse>;

/** Calls that may be open on one stream; a gateway has no more requests in flight by default. */
const MOST_OPEN_CALLS = 8_192;

/** The `PlaceStream` streams: many calls of `Place` on each, answered as they are decided, and releases of leases. */
@Injectable()
export class PlaceStreams implements BeforeApplicationShutdown {
  private readonly connections = new Set<PlaceConnection>();

  constructor(
    private readonly calls: PlaceCalls,
    private readonly releases: LeaseReleases,
    @Inject(APP_LOGGER) private readonly logger: Logger,
  ) {}

  accept(stream: PlaceStream): void {
    const connection = new PlaceConnection(stream, this.calls, this.releases, this.logger, () =>
      this.connections.delete(connection),
    );
    this.connections.add(connection);
  }

  /** What waits is refused by the desk; its answers go out before the stream ends. */
  beforeApplicationShutdown(): void {
    for (const connection of this.connections) connection.finish();
  }
}

type Answer = Pick<PlaceStreamResponse, 'callId' | 'answer'>;

class PlaceConnection {
  private readonly open = new Map<number, OpenPlaceCall>();
  private isOver = false;
  private isBlocked = false;
  /** The gateway at the other end says so. */
  private takesFurther = false;
  /** What is decided at once leaves in one message. */
  private readonly answers = new MessageBundle<Answer>(process.nextTick, (first, further) =>
    this.write(first, further),
  );

  constructor(
    private readonly stream: PlaceStream,
    private readonly calls: PlaceCalls,
    private readonly releases: LeaseReleases,
    private readonly logger: Logger,
    private readonly onEnd: () => void,
  ) {
    stream.on('data', (message: PlaceStreamRequest) => this.receive(message));
    stream.on('end', () => {
      this.leave();
      stream.end();
    });
    stream.on('cancelled', () => this.leave());
    stream.on('close', () => this.leave());
    stream.on('error', () => this.leave());
  }

  finish(): void {
    const answers = [...this.open.values()].map(({ answer }) => answer);
    void Promise.allSettled(answers).then(() => {
      this.answers.flush();
      this.stream.end();
    });
  }

  private receive(message: PlaceStreamRequest): void {
    this.takesFurther = message.takesFurther;
    this.take(message);
    for (const ask of message.further) this.take(ask);
  }

  private take({ callId, ask }: PlaceStreamRequest): void {
    switch (ask?.$case) {
      case 'place':
        this.place(callId, ask.value);
        break;
      case 'cancel':
        this.open.get(callId)?.abandon();
        this.open.delete(callId);
        break;
      case 'release':
        this.release(ask.value);
        break;
      case undefined: // of a later version
        break;
      default:
        ask satisfies never;
    }
  }

  private place(callId: number, { request, timeoutMs }: PlaceStreamCall): void {
    try {
      if (request === undefined || this.open.has(callId)) {
        throw new RpcException({ code: status.INVALID_ARGUMENT, message: 'expected a request and a new call id' });
      }
      if (this.open.size >= MOST_OPEN_CALLS) {
        throw new RpcException({ code: status.RESOURCE_EXHAUSTED, message: `${MOST_OPEN_CALLS} calls are open` });
      }
      const call = this.calls.open(request, timeoutMs);
      this.open.set(callId, call);
      call.answer.then(
        (response) => this.answer(callId, call, { $case: 'response', value: response }),
        (error: unknown) => this.answer(callId, call, this.failure(error)),
      );
    } catch (error) {
      this.send({ callId, answer: this.failure(error) });
    }
  }

  private release({ releases }: ReleaseLeasesRequest): void {
    try {
      this.releases.take(releases);
    } catch (error) {
      this.logger.error({ error }, 'releasing leases failed; they expire');
    }
  }

  private answer(callId: number, call: OpenPlaceCall, answer: NonNullable<PlaceStreamResponse['answer']>): void {
    if (this.open.get(callId) !== call) return; // cancelled meanwhile
    this.open.delete(callId);
    this.send({ callId, answer });
  }

  private failure(error: unknown): NonNullable<PlaceStreamResponse['answer']> {
    if (error instanceof RpcException) {
      const { code, message } = error.getError() as { code: status; message: string };
      return { $case: 'failure', value: { code, message } };
    }
    this.logger.error({ error }, 'placing failed');
    return { $case: 'failure', value: { code: status.INTERNAL, message: 'the request could not be placed' } };
  }

  private send(answer: Answer): void {
    if (this.takesFurther) this.answers.add(answer);
    else this.answers.send(answer);
  }

  /** A gateway that does not take its answers is not asked for more. */
  private write({ callId, answer }: Answer, further: readonly Answer[]): void {
    const message = { callId, answer, further: further.map(toPart), takesReleases: true, takesFurther: true };
    if (this.isOver || this.stream.write(message)) return;
    if (this.isBlocked) return; // decisions for what it asked before go on
    this.isBlocked = true;
    this.stream.pause();
    this.stream.once('drain', () => {
      this.isBlocked = false;
      this.stream.resume();
    });
  }

  private leave(): void {
    if (this.isOver) return;
    this.isOver = true;
    for (const call of this.open.values()) call.abandon();
    this.open.clear();
    this.onEnd();
  }
}

function toPart({ callId, answer }: Answer): PlaceStreamResponse {
  return { callId, answer, further: [], takesReleases: false, takesFurther: false };
}
