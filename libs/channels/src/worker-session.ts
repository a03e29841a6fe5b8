import { type ChannelCredentials, credentials as grpcCredentials } from '@grpc/grpc-js';
import { TransientMap } from '#lib/collections';
import {
  type EmbedRequest,
  type EmbedResponse,
  FailureCode,
  type Frame,
  type GenerationRequest,
  type SessionResponse,
  type Welcome,
} from '#lib/contracts';
import { BackOff } from './back-off.js';
import { callUnary } from './call-unary.js';
import { fetchModelFiles } from './fetch-model-files.js';
import { type GenerationFailure, type GenerationLink, GenerationStream, workerLost } from './generation-stream.js';
import { SessionConnection } from './session-connection.js';

export interface WorkerSessionOptions {
  /** gRPC target of the worker. */
  readonly target: string;
  /** The gateway's id, stable within its life. */
  readonly gatewayId: string;
  readonly credentials?: ChannelCredentials;
  /** A worker that does not answer the greeting within this time counts as lost. Default 2,000 ms. */
  readonly welcomeTimeoutMs?: number;
  /** A cancelled generation of which nothing is heard ends here after this time. Default 5,000 ms. */
  readonly cancelTimeoutMs?: number;
  readonly onStateChange?: (state: SessionState, reason: string) => void;
}

/** `connecting`: opening the stream; `open`: welcomed; `waiting`: lost, opened again soon; `closed`: by us, for good. */
export type SessionState = 'connecting' | 'open' | 'waiting' | 'closed';

/**
 * The gateway's end of a worker session: one stream on which all generations between the two travel. When it is lost,
 * every open generation fails at once with WORKER_LOST, and the stream is opened again with back-off.
 */
export class WorkerSession {
  readonly target: string;
  private readonly generations = new TransientMap<string, GenerationStream>();
  /** Those that something has come for in this turn of the event loop; some stand there twice. */
  private reached: GenerationStream[] = [];
  private readonly link: GenerationLink = {
    grant: (generationId, tokens) => this.connection?.outbox.credit(generationId, tokens),
    cancel: (generationId, reason) => this.cancel(generationId, reason),
  };
  private readonly backOff = new BackOff();
  private connection: SessionConnection | undefined;
  private reconnect: NodeJS.Timeout | undefined;
  private currentState: SessionState = 'connecting';
  private currentWelcome: Welcome | undefined;

  constructor(private readonly options: WorkerSessionOptions) {
    this.target = options.target;
    this.connect();
  }

  get state(): SessionState {
    return this.currentState;
  }

  /** How the worker introduced itself; `undefined` while not open. */
  get welcome(): Welcome | undefined {
    return this.currentWelcome;
  }

  get openGenerations(): number {
    return this.generations.size;
  }

  /** Starts a generation; refusals come as `failed` events. Its `initialCredit` is the buffer's size. */
  submit(request: GenerationRequest): GenerationStream {
    const stream = new GenerationStream(request, this.link);
    if (this.currentState === 'waiting') this.connect();
    if (this.connection === undefined) {
      stream.fail(workerLost('The session with the worker is closed.'));
    } else if (this.generations.has(request.generationId)) {
      stream.fail(failure(FailureCode.ENGINE_ERROR, false, `Generation ${request.generationId} is running already.`));
    } else if (!this.connection.outbox.submit(request)) {
      stream.fail(failure(FailureCode.SATURATED, true, 'Too many generations wait to be sent to the worker.'));
    } else {
      this.generations.set(request.generationId, stream);
    }
    return stream;
  }

  /**
   * Turns inputs into vectors, over the session's connection.
   * @throws GrpcStatusError when the worker is lost; the signal's reason when it aborts
   */
  embed(
    request: EmbedRequest,
    options: { readonly timeoutMs: number; readonly signal: AbortSignal },
  ): Promise<EmbedResponse> {
    const client = this.connection?.client;
    if (client === undefined) {
      const failed = failedEmbedding(request.embeddingId, 'The session with the worker is closed.');
      return Promise.resolve(failed);
    }
    return callUnary(client.embed.bind(client), request, options);
  }

  /** The text files of a model that the worker serves, by name. */
  modelFiles(textFingerprint: string, signal: AbortSignal): Promise<ReadonlyMap<string, Uint8Array>> {
    if (this.connection === undefined)
      return Promise.reject(new Error(`The worker at ${this.target} is not connected.`));
    return fetchModelFiles(this.connection.client, textFingerprint, signal);
  }

  /** Ends the session; open generations fail with WORKER_LOST. */
  close(): void {
    this.setState('closed', 'closed by the gateway');
    clearTimeout(this.reconnect);
    this.connection?.lose('the gateway closed the session');
  }

  private connect(): void {
    clearTimeout(this.reconnect);
    this.setState('connecting', '');
    const {
      target,
      gatewayId,
      credentials = grpcCredentials.createInsecure(),
      welcomeTimeoutMs = 2_000,
    } = this.options;
    this.connection = new SessionConnection(target, gatewayId, credentials, welcomeTimeoutMs, {
      onWelcome: (welcome) => {
        this.currentWelcome = welcome;
        this.backOff.reset();
        this.setState('open', '');
      },
      onMessage: (message) => this.receive(message),
      onLost: (reason) => this.lost(reason),
    });
  }

  private lost(reason: string): void {
    this.connection = undefined;
    this.currentWelcome = undefined;
    const open = this.generations.takeAll();
    if (this.currentState !== 'closed') {
      this.reconnect = setTimeout(() => this.connect(), this.backOff.nextMs());
      this.setState('waiting', reason);
    }
    // The reason is for logs (`onStateChange`); this message may reach a client.
    for (const stream of open) stream.fail(workerLost('The connection to the worker was lost.'));
  }

  private receive(message: NonNullable<SessionResponse['message']>): void {
    switch (message.$case) {
      case 'frame':
        this.receiveFrame(message.value);
        break;
      case 'finished':
        this.endOf(message.value.generationId)?.finish(message.value.usage);
        break;
      case 'failed': {
        const { generationId, retryable: isRetryable, ...rest } = message.value;
        this.endOf(generationId)?.fail({ ...rest, isRetryable });
        break;
      }
      case 'welcome':
        break;
      default:
        message satisfies never;
    }
  }

  private receiveFrame(frame: Frame): void {
    for (const entry of frame.entries) {
      const stream = this.generations.get(entry.generationId);
      if (stream === undefined) continue; // it has just been given up here
      if (stream.receive(entry)) {
        this.reach(stream);
      } else {
        this.endOf(entry.generationId);
        stream.cancel('over-credit');
        stream.fail(failure(FailureCode.ENGINE_ERROR, false, 'The worker sent more than it was allowed to.'));
      }
    }
    for (const { generationId, usage } of frame.ended) this.endOf(generationId)?.finish(usage);
  }

  /** Hands out what all frames of one turn brought at once: from a fast worker several come together, and each costs a write. */
  private reach(stream: GenerationStream): void {
    if (this.reached.length === 0) setImmediate(() => this.deliver());
    this.reached.push(stream);
  }

  private deliver(): void {
    const streams = this.reached;
    this.reached = [];
    for (const stream of streams) stream.deliver();
  }

  private endOf(generationId: string): GenerationStream | undefined {
    const stream = this.generations.take(generationId);
    this.connection?.outbox.forget(generationId);
    return stream;
  }

  private cancel(generationId: string, reason: string): void {
    if (this.connection === undefined) return;
    if (!this.connection.outbox.cancel(generationId, reason)) {
      this.endOf(generationId)?.finish(undefined);
      return;
    }
    const { cancelTimeoutMs = 5_000 } = this.options;
    const stream = this.generations.get(generationId);
    setTimeout(() => {
      if (stream?.isOver === false && this.generations.get(generationId) === stream) {
        this.endOf(generationId);
        stream.fail(failure(FailureCode.ENGINE_ERROR, false, 'The worker did not answer a cancellation.'));
      }
    }, cancelTimeoutMs).unref();
  }

  private setState(state: SessionState, reason: string): void {
    if (this.currentState === state || this.currentState === 'closed') return;
    this.currentState = state;
    this.options.onStateChange?.(state, reason);
  }
}

function failure(code: FailureCode, isRetryable: boolean, message: string): GenerationFailure {
  return { code, isRetryable, message, parameter: '', retryAfterMs: 0 };
}

function failedEmbedding(generationId: string, message: string): EmbedResponse {
  const value = {
    generationId,
    code: FailureCode.WORKER_LOST,
    retryable: true,
    message,
    parameter: '',
    retryAfterMs: 0,
  };
  return { outcome: { $case: 'failed', value } };
}
