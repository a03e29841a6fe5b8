import { type ClientDuplexStream, status } from '@grpc/grpc-js';
import { GrpcStatusError, MessageBundle } from '#lib/channels';
import { TransientMap } from '#lib/collections';
import type {
  LeaseRelease,
  PlacementClient,
  PlaceRequest,
  PlaceResponse,
  PlaceStreamRequest,
  PlaceStreamResponse,
} from '#lib/contracts';

/** Calls that may be open, as many as a scheduler takes on one stream. */
const MOST_OPEN_CALLS = 8_192;

type PlacementCall = ClientDuplexStream<PlaceStreamRequest, PlaceStreamResponse>;
type Ask = Pick<PlaceStreamRequest, 'callId' | 'ask'>;

interface OpenCall {
  resolve(response: PlaceResponse): void;
  reject(error: GrpcStatusError): void;
}

/**
 * Asks one scheduler for places over one stream, opened with the first question and again after it broke. What is open when it
 * breaks fails with its status, as calls of their own would.
 */
export class PlaceStream {
  private readonly open = new TransientMap<number, OpenCall>();
  private stream: PlacementCall | undefined;
  private callCount = 0;
  /** The scheduler at the other end of the stream says so. */
  private takesReleases = false;
  private takesFurther = false;
  /** What is asked in one turn of the event loop leaves in one message. */
  private readonly asks = new MessageBundle<Ask>(setImmediate, ({ callId, ask }, further) =>
    this.stream?.write({ callId, ask, further: further.map(toPart), takesFurther: true }),
  );

  constructor(private readonly client: PlacementClient) {}

  /**
   * Waits in the scheduler's queue while there is no room; an aborted signal leaves it.
   * @throws GrpcStatusError; the signal's reason when it aborts
   */
  place(request: PlaceRequest, timeoutMs: number, signal: AbortSignal): Promise<PlaceResponse> {
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      if (this.open.size >= MOST_OPEN_CALLS) {
        throw new GrpcStatusError(status.RESOURCE_EXHAUSTED, `${MOST_OPEN_CALLS} calls are open`);
      }
      const callId = ++this.callCount;
      const over = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', abort);
        this.open.take(callId);
      };
      const giveUp = (reason: unknown) => {
        over();
        if (this.stream !== undefined) this.send({ callId, ask: { $case: 'cancel', value: {} } });
        reject(reason);
      };
      const abort = () => giveUp(signal.reason);
      const timer = setTimeout(
        () => giveUp(new GrpcStatusError(status.DEADLINE_EXCEEDED, `no answer within ${timeoutMs} ms`)),
        timeoutMs,
      );
      signal.addEventListener('abort', abort, { once: true });
      this.open.set(callId, {
        resolve: (response) => {
          over();
          resolve(response);
        },
        reject: (error) => {
          over();
          reject(error);
        },
      });
      this.connect();
      this.send({ callId, ask: { $case: 'place', value: { request, timeoutMs } } });
    });
  }

  /**
   * Ends leases without an answer; those of a stream that breaks meanwhile expire.
   * @returns false when nothing was sent: there is no stream, the scheduler does not know releases on it or does not read at present
   */
  release(releases: readonly LeaseRelease[]): boolean {
    if (this.stream === undefined || !this.takesReleases || this.stream.writableNeedDrain) return false;
    // They were gathered, and this may be the last that is sent.
    this.asks.send({ callId: 0, ask: { $case: 'release', value: { releases: [...releases] } } });
    return true;
  }

  close(): void {
    this.stream?.cancel();
  }

  private send(ask: Ask): void {
    if (this.takesFurther) this.asks.add(ask);
    else this.asks.send(ask);
  }

  private connect(): void {
    if (this.stream !== undefined) return;
    const stream = this.client.placeStream();
    this.stream = stream;
    stream.on('data', (response: PlaceStreamResponse) => this.receive(response));
    stream.on('error', (error) => this.lost(stream, GrpcStatusError.from(error)));
    stream.on('end', () =>
      this.lost(stream, new GrpcStatusError(status.UNAVAILABLE, 'the scheduler ended the stream')),
    );
  }

  private receive(response: PlaceStreamResponse): void {
    this.takesReleases = response.takesReleases;
    this.takesFurther = response.takesFurther;
    this.take(response);
    for (const answer of response.further) this.take(answer);
  }

  private take({ callId, answer }: PlaceStreamResponse): void {
    const call = this.open.get(callId);
    if (call === undefined) return; // it crossed our cancel
    switch (answer?.$case) {
      case 'response':
        call.resolve(answer.value);
        break;
      case 'failure':
        call.reject(new GrpcStatusError(answer.value.code, answer.value.message));
        break;
      case undefined:
        call.reject(new GrpcStatusError(status.UNIMPLEMENTED, 'an answer that is not understood here'));
        break;
      default:
        answer satisfies never;
    }
  }

  private lost(stream: PlacementCall, error: GrpcStatusError): void {
    if (this.stream !== stream) return;
    this.stream = undefined;
    this.takesReleases = false;
    this.takesFurther = false;
    this.asks.clear(); // of calls that fail now
    for (const call of this.open.values()) call.reject(error);
  }
}

function toPart({ callId, ask }: Ask): PlaceStreamRequest {
  return { callId, ask, further: [], takesFurther: false };
}
