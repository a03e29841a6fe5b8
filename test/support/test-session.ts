import { type ClientDuplexStream, credentials, type ServiceError } from '@grpc/grpc-js';
import { clientChannelOptions } from '#lib/channels';
import {
  type Failed,
  type Finished,
  FinishReason,
  type FrameEntry,
  type GenerationRequest,
  type ModelFileChunk,
  type SessionRequest,
  type SessionResponse,
  type Welcome,
  WorkerClient,
} from '#lib/contracts';

/** A gateway's end of a worker session, on a connection of its own, that remembers everything. */
export class TestSession {
  readonly client: WorkerClient;
  readonly call: ClientDuplexStream<SessionRequest, SessionResponse>;
  readonly received: NonNullable<SessionResponse['message']>[] = [];
  error: ServiceError | undefined;
  isEnded = false;
  private waiters: (() => void)[] = [];

  constructor(grpcPort: number) {
    const options = { ...clientChannelOptions(), 'grpc.use_local_subchannel_pool': 1 };
    this.client = new WorkerClient(`127.0.0.1:${grpcPort}`, credentials.createInsecure(), options);
    this.call = this.client.session();
    this.call.on('data', ({ message }: SessionResponse) => {
      if (message) this.received.push(message);
      this.wake();
    });
    this.call.on('error', (error: ServiceError) => {
      this.error = error;
      this.wake();
    });
    this.call.on('end', () => {
      this.isEnded = true;
      this.wake();
    });
  }

  /** Greets and waits for the welcome. */
  static async open(grpcPort: number, gatewayId = 'gateway-test', takesEnded = false): Promise<TestSession> {
    const session = new TestSession(grpcPort);
    session.send({ $case: 'hello', value: { gatewayId, protocolRevision: 1, takesEnded } });
    await session.until(() => session.welcome !== undefined);
    return session;
  }

  send(message: NonNullable<SessionRequest['message']>): void {
    this.call.write({ message });
  }

  submit(request: GenerationRequest): string {
    this.send({ $case: 'submit', value: request });
    return request.generationId;
  }

  cancel(generationId: string): void {
    this.send({ $case: 'cancel', value: { generationId, reason: 'client-gone' } });
  }

  credit(generationId: string, tokens: number): void {
    this.send({ $case: 'credit', value: { generationId, tokens } });
  }

  get welcome(): Welcome | undefined {
    for (const message of this.received) if (message.$case === 'welcome') return message.value;
    return undefined;
  }

  entries(generationId: string): FrameEntry[] {
    return this.received.flatMap((message) =>
      message.$case === 'frame' ? message.value.entries.filter((entry) => entry.generationId === generationId) : [],
    );
  }

  tokenIds(generationId: string): number[] {
    return this.entries(generationId).flatMap((entry) => entry.tokenIds);
  }

  text(generationId: string): string {
    return this.entries(generationId)
      .map((entry) => entry.text)
      .join('');
  }

  finishReason(generationId: string): FinishReason {
    return this.entries(generationId).at(-1)?.finishReason ?? FinishReason.UNSPECIFIED;
  }

  finished(generationId: string): Finished | undefined {
    for (const { $case, value } of this.received) {
      if ($case === 'finished' && value.generationId === generationId) return value;
      const ended = $case === 'frame' ? value.ended.find((end) => end.generationId === generationId) : undefined;
      if (ended !== undefined) return ended;
    }
    return undefined;
  }

  failed(generationId: string): Failed | undefined {
    for (const { $case, value } of this.received) {
      if ($case === 'failed' && value.generationId === generationId) return value;
    }
    return undefined;
  }

  /** Messages that ended it: one, in the end. */
  ends(generationId: string): number {
    const isOwn = (end: { readonly generationId: string }) => end.generationId === generationId;
    return this.received.flatMap(({ $case, value }) => {
      if ($case === 'frame') return value.ended.filter(isOwn);
      return ($case === 'finished' || $case === 'failed') && isOwn(value) ? [value] : [];
    }).length;
  }

  async end(generationId: string): Promise<void> {
    await this.until(() => this.ends(generationId) > 0);
  }

  /** Resolves when `check` holds, looked at after each message. */
  async until(check: () => boolean): Promise<void> {
    while (!check()) {
      if (this.error !== undefined) throw this.error;
      await new Promise<void>((resolve) => this.waiters.push(resolve));
    }
  }

  /** The text files, put together from their pieces. */
  async modelFiles(textFingerprint: string): Promise<{ files: Map<string, Buffer>; largestChunkBytes: number }> {
    const pieces = new Map<string, Buffer[]>();
    let largestChunkBytes = 0;
    for await (const chunk of this.client.getModelFiles({ textFingerprint }) as AsyncIterable<ModelFileChunk>) {
      pieces.set(chunk.name, [...(pieces.get(chunk.name) ?? []), chunk.data]);
      largestChunkBytes = Math.max(largestChunkBytes, chunk.data.length);
    }
    return { files: new Map([...pieces].map(([name, all]) => [name, Buffer.concat(all)])), largestChunkBytes };
  }

  /** Breaks the stream, as when the gateway dies. */
  close(): void {
    this.call.on('error', () => {});
    this.call.cancel();
    this.client.close();
  }

  private wake(): void {
    for (const waiter of this.waiters.splice(0)) waiter();
  }
}
