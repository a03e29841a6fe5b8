import { type ServerDuplexStream, status } from '@grpc/grpc-js';
import {
  type Failed,
  FailureCode,
  type Finished,
  type FrameEntry,
  type GenerationRequest,
  type Hello,
  type SessionRequest,
  type SessionResponse,
} from '#lib/contracts';
import type { WorkerIdentity } from '../worker-identity.js';
import type { GenerationReader } from './generation-run.js';
import type { Generations } from './generations.js';
import { SessionOutbox } from './session-outbox.js';

export type SessionCall = ServerDuplexStream<SessionRequest, SessionResponse>;

const PROTOCOL_REVISION = 1;

/** One gateway's stream: hello, welcome, then its generations until the stream ends; with it they end too. */
export class GatewaySession implements GenerationReader {
  gatewayId: string | undefined;
  private readonly outbox: SessionOutbox;
  private isOver = false;

  constructor(
    private readonly call: SessionCall,
    private readonly identity: WorkerIdentity,
    private readonly generations: Generations,
    private readonly onOver: () => void,
  ) {
    this.outbox = new SessionOutbox(call, () =>
      this.refuse(status.RESOURCE_EXHAUSTED, 'The gateway does not read what is sent to it.'),
    );
    call.on('data', (request: SessionRequest) => this.receive(request));
    call.on('end', () => this.end());
    call.on('cancelled', () => this.over());
    call.on('error', () => this.over());
    call.on('close', () => this.over());
  }

  frame(step: number, entries: FrameEntry[]): void {
    this.outbox.frame(step, entries);
  }

  finished(value: Finished): void {
    this.outbox.end({ $case: 'finished', value });
  }

  failed(value: Failed): void {
    this.outbox.end({ $case: 'failed', value });
  }

  /** Says goodbye: what was told before still arrives, also what waits for a gateway that is slow to read. */
  leave(): void {
    this.outbox.onceEmpty(() => this.end());
  }

  private end(): void {
    if (this.isOver) return;
    this.over();
    this.call.end();
  }

  private receive({ message }: SessionRequest): void {
    if (this.isOver || message === undefined) return;
    if (this.gatewayId === undefined && message.$case !== 'hello') {
      this.refuse(status.FAILED_PRECONDITION, 'The first message of a session must be `hello`.');
      return;
    }
    switch (message.$case) {
      case 'hello':
        this.greet(message.value);
        break;
      case 'submit':
        this.submit(message.value);
        break;
      case 'cancel':
        this.generations.cancel(this, message.value.generationId, message.value.reason);
        break;
      case 'credit':
        this.generations.credit(this, message.value.generationId, message.value.tokens);
        break;
      default:
        message satisfies never;
    }
  }

  private submit(request: GenerationRequest): void {
    const { generationId } = request;
    if (!this.outbox.holds(generationId)) {
      this.generations.submit(this, request);
      return;
    }
    const message = `The end of generation ${generationId} has not been read yet.`;
    const code = FailureCode.ENGINE_ERROR;
    this.failed({ generationId, code, retryable: true, message, parameter: '', retryAfterMs: 0 });
  }

  private greet({ gatewayId, protocolRevision, takesEnded }: Hello): void {
    if (this.gatewayId !== undefined) {
      this.refuse(status.FAILED_PRECONDITION, 'A session has one `hello`.');
      return;
    }
    if (protocolRevision !== PROTOCOL_REVISION) {
      const message = `This worker speaks protocol revision ${PROTOCOL_REVISION}, not ${protocolRevision}.`;
      this.refuse(status.FAILED_PRECONDITION, message);
      return;
    }
    this.gatewayId = gatewayId;
    this.outbox.takesEnded = takesEnded;
    const { workerId, epoch: workerEpoch } = this.identity;
    this.call.write({ message: { $case: 'welcome', value: { workerId, workerEpoch } } });
  }

  private refuse(code: status, details: string): void {
    if (this.isOver) return;
    this.over();
    this.call.emit('error', { code, details });
  }

  private over(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.outbox.close();
    this.generations.endAllOf(this);
    this.onOver();
  }
}
