import type { ChannelCredentials, ClientDuplexStream } from '@grpc/grpc-js';
import { type SessionRequest, type SessionResponse, type Welcome, WorkerClient } from '#lib/contracts';
import { AwakeTimer } from './awake-timer.js';
import { clientChannelOptions } from './channel-options.js';
import { GrpcStatusError } from './grpc-status-error.js';
import { SessionOutbox } from './session-outbox.js';

export const PROTOCOL_REVISION = 1;

export interface ConnectionHandlers {
  onWelcome(welcome: Welcome): void;
  onMessage(message: NonNullable<SessionResponse['message']>): void;
  /** Once, however it ended; nothing follows. */
  onLost(reason: string): void;
}

/** One life of a session's stream: hello, welcome, messages, and one loss. */
export class SessionConnection {
  readonly client: WorkerClient;
  readonly outbox: SessionOutbox;
  private readonly call: ClientDuplexStream<SessionRequest, SessionResponse>;
  private readonly welcomeTimer: AwakeTimer;
  private isLost = false;
  private isWelcome = false;

  constructor(
    target: string,
    gatewayId: string,
    credentials: ChannelCredentials,
    welcomeTimeoutMs: number,
    private readonly handlers: ConnectionHandlers,
  ) {
    this.client = new WorkerClient(target, credentials, clientChannelOptions());
    this.call = this.client.session();
    this.outbox = new SessionOutbox(this.call);
    this.welcomeTimer = new AwakeTimer(welcomeTimeoutMs, () => this.lose('it did not answer the greeting in time'));
    this.welcomeTimer.start();
    this.call.on('data', (response: SessionResponse) => this.receive(response));
    this.call.on('error', (error) => this.lose(GrpcStatusError.from(error).message));
    this.call.on('end', () => this.lose('it ended the session'));
    const hello = { gatewayId, protocolRevision: PROTOCOL_REVISION, takesEnded: true };
    this.call.write({ message: { $case: 'hello', value: hello } });
  }

  /** Ends the stream; the worker cancels all that was submitted on it. */
  lose(reason: string): void {
    if (this.isLost) return;
    this.isLost = true;
    this.welcomeTimer.stop();
    this.outbox.close();
    this.call.cancel();
    this.client.close();
    this.handlers.onLost(reason);
  }

  private receive({ message }: SessionResponse): void {
    if (this.isLost || message === undefined) return;
    if (message.$case === 'welcome') {
      this.isWelcome = true;
      this.welcomeTimer.stop();
      this.handlers.onWelcome(message.value);
    } else if (this.isWelcome) {
      this.handlers.onMessage(message);
    } else {
      this.lose('it did not begin with a welcome');
    }
  }
}
