import { once } from 'node:events';
import { Server, ServerCredentials, type ServerDuplexStream, status } from '@grpc/grpc-js';
import {
  FinishReason,
  type FrameEntry,
  type GetModelFilesRequest,
  type ModelFileChunk,
  type SessionRequest,
  type SessionResponse,
  WorkerService,
} from '#lib/contracts';
import { serverChannelOptions } from './channel-options.js';
import type { GenerationEvent, GenerationStream } from './generation-stream.js';

type SessionCall = ServerDuplexStream<SessionRequest, SessionResponse>;

/** A worker's end of the session protocol, for tests: it records what comes and sends what it is told to. */
export class SessionServer {
  readonly received: NonNullable<SessionRequest['message']>[] = [];
  call: SessionCall | undefined;
  connections = 0;
  isSilent = false;
  port = 0;
  private server = new Server(serverChannelOptions());
  private waiters: (() => void)[] = [];

  async listen(port = 0): Promise<this> {
    this.server = new Server(serverChannelOptions());
    this.server.addService(WorkerService, {
      session: (call: SessionCall) => this.accept(call),
      getModelFiles: (call: import('@grpc/grpc-js').ServerWritableStream<GetModelFilesRequest, ModelFileChunk>) => {
        if (call.request.textFingerprint === 'unknown') {
          call.emit('error', { code: status.NOT_FOUND, details: 'no such model' });
          return;
        }
        const isCut = call.request.textFingerprint === 'cut';
        call.write({ name: 'tokenizer.json', data: Buffer.from('{"a":'), last: false });
        if (!isCut) call.write({ name: 'tokenizer.json', data: Buffer.from('1}'), last: true });
        call.end();
      },
    });
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

  entry(
    generationId: string,
    tokenIds: number[],
    sequenceIndex = 0,
    finishReason = FinishReason.UNSPECIFIED,
  ): FrameEntry {
    const text = tokenIds.map((id) => ` ${id}`).join('');
    return {
      generationId,
      sequenceIndex,
      tokenIds,
      text,
      logprobs: [],
      finishReason,
      stopMatch: '',
      promptLogprobs: [],
      textEnds: [],
    };
  }

  frame(...entries: FrameEntry[]): void {
    this.send({ $case: 'frame', value: { step: 1, entries, ended: [] } });
  }

  send(message: NonNullable<SessionResponse['message']>): void {
    this.call?.write({ message });
  }

  /** Waits until a message has come that fits. */
  async until<T>(find: () => T | undefined | false): Promise<T> {
    for (;;) {
      const found = find();
      if (found !== undefined && found !== false) return found;
      await new Promise<void>((resolve) => this.waiters.push(resolve));
    }
  }

  of<C extends NonNullable<SessionRequest['message']>['$case']>(
    $case: C,
  ): Extract<NonNullable<SessionRequest['message']>, { $case: C }>['value'][] {
    return this.received.filter((message) => message.$case === $case).map((message) => message.value as never);
  }

  /** Breaks all connections, as when the process dies. */
  async kill(): Promise<void> {
    this.server.forceShutdown();
    if (this.call !== undefined && !this.call.cancelled) await once(this.call, 'cancelled').catch(() => {});
  }

  private accept(call: SessionCall): void {
    this.call = call;
    this.connections++;
    call.on('error', () => {});
    call.on('data', ({ message }: SessionRequest) => {
      if (message === undefined) return;
      this.received.push(message);
      if (message.$case === 'hello' && !this.isSilent) {
        this.send({ $case: 'welcome', value: { workerId: 'worker-0', workerEpoch: 7 } });
      }
      this.wake();
    });
    call.on('end', () => call.end());
    this.wake();
  }

  private wake(): void {
    for (const waiter of this.waiters.splice(0)) waiter();
  }
}

export function nextOf(stream: GenerationStream): Promise<GenerationEvent> {
  return new Promise((resolve) => stream.next(resolve));
}
