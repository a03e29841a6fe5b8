import {
  Channel,
  type ChannelCredentials,
  type ChannelOptions,
  Client,
  type ClientUnaryCall,
  connectivityState,
  InterceptingCall,
  type InterceptorOptions,
  type Metadata,
  type NextCall,
  type ServiceError,
  status,
} from '@grpc/grpc-js';
import { AwakeTimer } from './awake-timer.js';

/** Silence is looked at in rounds; after the first the peer is asked. */
const ROUND_MS = 500;
/** A peer that does not answer the question for so long is lost: with the round before it, after 1.5 s of silence. */
const ANSWER_ROUNDS = 2;
/** A connection that is not made by then is given up: its calls fail, the next one tries again. */
const CONNECT_ROUNDS = 10;
/** With more calls than this the question could have to wait for a free place (`grpc.max_concurrent_streams`: 4,096). */
const MOST_CALLS = 4_000;

const HEALTH_CHECK = '/grpc.health.v1.Health/Check';
/** What grpc-js says when nobody answered; every other status comes from a peer that is there. */
const NO_ANSWER: ReadonlySet<status> = new Set([status.UNAVAILABLE, status.DEADLINE_EXCEEDED, status.CANCELLED]);

const asBytes = (bytes: Buffer) => bytes;

/** The call below an interceptor's. */
type Call = ReturnType<NextCall>;

/**
 * Watches over the calls of one client: when its peer gives no sign of life, they all fail with UNAVAILABLE, within 1.5 s.
 * A silent peer is asked after its health; any answer will do, that it knows no such service, too.
 *
 * The keepalive of grpc-js does the same with pings, but cannot tell a silent peer from an own event loop that was blocked:
 * its timer runs out before the answer is read. Here only time counts in which this process ran.
 */
export class PeerWatch {
  private readonly calls = new Set<Call>();
  private readonly round = new AwakeTimer(ROUND_MS, () => this.endRound());
  private channel: Channel | undefined;
  private asker: Client | undefined;
  private silentRounds = 0;
  private question: { readonly call: ClientUnaryCall; readonly round: number } | undefined;

  /** `channelFactoryOverride` of the client that is watched. */
  readonly openChannel = (target: string, credentials: ChannelCredentials, options: ChannelOptions): Channel => {
    if (this.channel !== undefined) throw new Error('These options belong to another client: make new ones.');
    this.channel = new Channel(target, credentials, options);
    this.asker = new Client(target, credentials, { channelOverride: this.channel });
    return this.channel;
  };

  /** Interceptor of the client that is watched. */
  readonly intercept = (options: InterceptorOptions, nextCall: NextCall): InterceptingCall => {
    const call = nextCall(options);
    return new InterceptingCall(call, {
      start: (metadata, _listener, next) => {
        this.begin(call);
        next(metadata, {
          onReceiveMetadata: (received: Metadata, pass) => {
            this.hear();
            pass(received);
          },
          onReceiveMessage: (message: unknown, pass) => {
            this.hear();
            pass(message);
          },
          onReceiveStatus: (received, pass) => {
            this.end(call);
            pass(received);
          },
        });
      },
    });
  };

  private begin(call: Call): void {
    this.calls.add(call);
    if (this.calls.size === 1) this.hear();
  }

  private end(call: Call): void {
    this.calls.delete(call);
    if (this.calls.size > 0) return;
    this.forgetQuestion();
    this.round.stop();
  }

  private hear(): void {
    this.silentRounds = 0;
    this.forgetQuestion();
    this.round.start();
  }

  private endRound(): void {
    this.silentRounds++;
    const isConnected = this.channel?.getConnectivityState(false) === connectivityState.READY;
    if (!isConnected) this.forgetQuestion();
    if (!isConnected && this.silentRounds >= CONNECT_ROUNDS) this.lose('there is no connection');
    if (isConnected && this.isUnanswered()) this.lose('it gives no sign of life');
    if (isConnected && this.question === undefined) this.ask();
    if (this.calls.size > 0) this.round.start();
  }

  private isUnanswered(): boolean {
    return this.question !== undefined && this.silentRounds - this.question.round >= ANSWER_ROUNDS;
  }

  private ask(): void {
    if (this.calls.size === 0 || this.calls.size > MOST_CALLS) return;
    const call = this.asker?.makeUnaryRequest(HEALTH_CHECK, asBytes, asBytes, Buffer.alloc(0), (error) => {
      if (this.question?.call === call && !isNoAnswer(error)) this.hear();
    });
    if (call !== undefined) this.question = { call, round: this.silentRounds };
  }

  private forgetQuestion(): void {
    const { question } = this;
    this.question = undefined;
    question?.call.cancel();
  }

  private lose(reason: string): void {
    this.silentRounds = 0;
    this.forgetQuestion();
    for (const call of [...this.calls]) call.cancelWithStatus(status.UNAVAILABLE, reason);
  }
}

function isNoAnswer(error: ServiceError | null): boolean {
  return error !== null && NO_ANSWER.has(error.code);
}
