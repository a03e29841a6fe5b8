import {
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
} from '@grpc/grpc-js';
import { serverChannelOptions } from '#lib/channels';
import {
  type EmbedRequest,
  type EmbedResponse,
  type FailureCode,
  FinishReason,
  type GenerationRequest,
  type GetModelFilesRequest,
  type ModelFileChunk,
  type Registration,
  type SessionRequest,
  type SessionResponse,
  WorkerRole,
  WorkerService,
} from '#lib/contracts';
import { syntheticTextFiles, type TextFiles } from '#lib/tokens';
import { Signal } from './signal.js';

type SessionCall = ServerDuplexStream<SessionRequest, SessionResponse>;

/** What a worker holds of one generation; a test gives it tokens and ends it. */
export class FakeGeneration {
  cancelReason: string | undefined;
  /** Tokens per sequence that may still be sent. */
  credit: number;
  sent = 0;

  constructor(
    readonly request: GenerationRequest,
    private readonly call: SessionCall,
    readonly changed: Signal,
  ) {
    this.credit = request.initialCredit;
  }

  /** One frame: the next token of every sequence, ` w<i>`, with the finish reason when it is the last. */
  token(finishReason = FinishReason.UNSPECIFIED, text = ` w${this.sent}`): void {
    const { generationId, sequenceCount } = this.request;
    const entries = Array.from({ length: sequenceCount }, (_, sequenceIndex) => ({
      ...{ generationId, sequenceIndex, tokenIds: [this.sent % 256], text, finishReason, stopMatch: '' },
      ...{ logprobs: [], promptLogprobs: [], textEnds: [] },
    }));
    this.sent++;
    this.credit--;
    this.call.write({ message: { $case: 'frame', value: { step: this.sent, entries, ended: [] } } });
  }

  /** One frame: the next `count` tokens of every sequence, gathered into one entry each, as for answers that are sent whole. */
  gathered(count: number, finishReason = FinishReason.UNSPECIFIED): void {
    const { generationId, sequenceCount } = this.request;
    const texts = Array.from({ length: count }, (_, index) => ` w${this.sent + index}`);
    const tokenIds = texts.map((_, index) => (this.sent + index) % 256);
    const textEnds = texts.map((_, index) => texts.slice(0, index + 1).join('').length);
    const entries = Array.from({ length: sequenceCount }, (_, sequenceIndex) => ({
      ...{ generationId, sequenceIndex, tokenIds, text: texts.join(''), textEnds, finishReason, stopMatch: '' },
      ...{ logprobs: [], promptLogprobs: [] },
    }));
    this.sent += count;
    this.credit -= count;
    this.call.write({ message: { $case: 'frame', value: { step: this.sent, entries, ended: [] } } });
  }

  finish(cachedPromptTokens = 0): void {
    const { generationId, promptTokenIds, sequenceCount } = this.request;
    const usage = {
      ...{ promptTokens: promptTokenIds.length, completionTokens: this.sent * sequenceCount, cachedPromptTokens },
      ...{ queueUs: 0, prefillUs: 0, decodeUs: 0 },
    };
    this.call.write({ message: { $case: 'finished', value: { generationId, usage } } });
  }

  fail(code: FailureCode, retryable: boolean, message = 'refused by the test', parameter = ''): void {
    const { generationId } = this.request;
    const value = { generationId, code, retryable, message, parameter, retryAfterMs: 0 };
    this.call.write({ message: { $case: 'failed', value } });
  }

  /** All tokens the request asks for, as credit allows. */
  async runToEnd(): Promise<void> {
    const maxTokens = this.request.stop?.maxTokens ?? 1;
    while (this.sent < maxTokens && this.cancelReason === undefined) {
      if (this.credit <= 0) {
        await this.changed.until(() => this.credit > 0 || this.cancelReason !== undefined);
        continue;
      }
      this.token(this.sent + 1 === maxTokens ? FinishReason.LENGTH : FinishReason.UNSPECIFIED);
    }
    this.finish();
  }
}

/** A worker that speaks the real protocol over a real socket and does what the test says. */
export class FakeWorker {
  readonly generations: FakeGeneration[] = [];
  readonly changed = new Signal();
  /** What happens with a new generation; by default it runs to its end. */
  onSubmit: (generation: FakeGeneration) => void = (generation) => void generation.runToEnd();
  /** Requests for embeddings, in order of arrival. */
  readonly embeddings: EmbedRequest[] = [];
  /** What comes of a request for embeddings; by default a vector for each input: its length and its first token. */
  onEmbed: (request: EmbedRequest) => EmbedResponse | Promise<EmbedResponse> = embedded;
  tasks = ['generate', 'chat'];
  epoch = Date.now();
  textFingerprint = 'a'.repeat(64);
  createdUnixS = 1;
  fileReads = 0;
  /** Set to keep readers of the model's files waiting: they are served when it resolves. */
  fileGate: Promise<void> | undefined;
  /** Of its model. */
  textFiles: TextFiles = syntheticTextFiles();
  private server: Server | undefined;
  private port = 0;

  constructor(
    readonly workerId = 'worker-0',
    readonly modelId = 'test-model',
    readonly contextTokens = 512,
  ) {}

  async listen(): Promise<this> {
    this.server = new Server(serverChannelOptions());
    this.server.addService(WorkerService, {
      session: (call: SessionCall) => this.accept(call),
      embed: (call: ServerUnaryCall<EmbedRequest, EmbedResponse>, reply: sendUnaryData<EmbedResponse>) => {
        this.embeddings.push(call.request);
        this.changed.fire();
        void Promise.resolve(this.onEmbed(call.request)).then((response) => reply(null, response));
      },
      getModelFiles: async (call: ServerWritableStream<GetModelFilesRequest, ModelFileChunk>) => {
        this.fileReads++;
        this.changed.fire();
        await this.fileGate;
        for (const [name, data] of this.textFiles) call.write({ name, data: Buffer.from(data), last: true });
        call.end();
      },
    });
    this.port = await bind(this.server, this.port);
    return this;
  }

  /** Names of adapters on its model. */
  adapterIds: string[] = [];

  private get adapters() {
    const { modelId } = this;
    return this.adapterIds.map((adapterId) => ({ adapterId, modelId, version: 'a'.repeat(64), rank: 8, source: '' }));
  }

  get registration(): Registration {
    const model = {
      ...{ modelId: this.modelId, modelFingerprint: 'f'.repeat(64), textFingerprint: this.textFingerprint },
      ...{
        contextTokens: this.contextTokens,
        blockTokens: 16,
        vocabularySize: 261,
        numerics: 'exact',
        weights: 'fp32',
      },
      ...{
        kvBytesPerToken: 1,
        maxRunningSequences: 64,
        unsupportedParameters: ['logit_bias'],
        createdUnixS: this.createdUnixS,
      },
      ...{
        tasks: this.tasks,
        stepTokenBudget: 512,
        prefillOrder: '',
        samplingDefaults: { temperature: 0.25, topP: 0.75 },
        kvLayout: Buffer.alloc(0),
      },
    };
    return {
      ...{ workerId: this.workerId, workerEpoch: this.epoch, target: `127.0.0.1:${this.port}` },
      ...{ role: WorkerRole.UNIFIED, engine: 'mock', version: '0', devices: [], tensorParallelSize: 1 },
      ...{ pipelineParallelSize: 1, models: [model], adapters: this.adapters, kvTarget: '', labels: {} },
      alwaysAsksCaches: false,
    };
  }

  /** Waits for the generation with this index, in order of arrival. */
  async generation(index = 0): Promise<FakeGeneration> {
    await this.changed.until(() => this.generations.length > index);
    return this.generations[index] as FakeGeneration;
  }

  async cancelled(generation: FakeGeneration): Promise<string | undefined> {
    await this.changed.until(() => generation.cancelReason !== undefined);
    return generation.cancelReason;
  }

  /** Breaks all connections, as when the process dies. */
  kill(): void {
    this.server?.forceShutdown();
  }

  private accept(call: SessionCall): void {
    call.on('error', () => {});
    call.on('end', () => call.end());
    call.on('data', ({ message }: SessionRequest) => this.receive(call, message));
  }

  private receive(call: SessionCall, message: SessionRequest['message']): void {
    switch (message?.$case) {
      case 'hello':
        call.write({ message: { $case: 'welcome', value: { workerId: this.workerId, workerEpoch: this.epoch } } });
        break;
      case 'submit': {
        const generation = new FakeGeneration(message.value, call, this.changed);
        this.generations.push(generation);
        this.onSubmit(generation);
        break;
      }
      case 'cancel': {
        const generation = this.of(message.value.generationId);
        if (generation !== undefined) generation.cancelReason = message.value.reason;
        generation?.finish();
        break;
      }
      case 'credit': {
        const generation = this.of(message.value.generationId);
        if (generation !== undefined) generation.credit += message.value.tokens;
        break;
      }
    }
    this.changed.fire();
  }

  private of(generationId: string): FakeGeneration | undefined {
    return this.generations.findLast((generation) => generation.request.generationId === generationId);
  }
}

export function embedded({ inputs }: EmbedRequest): EmbedResponse {
  const vectors = Buffer.alloc(inputs.length * 2 * 4);
  inputs.forEach(({ tokenIds }, index) => {
    vectors.writeFloatLE(tokenIds.length, index * 8);
    vectors.writeFloatLE(tokenIds[0] ?? -1, index * 8 + 4);
  });
  const promptTokens = inputs.reduce((sum, { tokenIds }) => sum + tokenIds.length, 0);
  const usage = { promptTokens, completionTokens: 0, cachedPromptTokens: 0, queueUs: 0, prefillUs: 0, decodeUs: 0 };
  return { outcome: { $case: 'embedded', value: { vectors, dimensions: 2, usage } } };
}

export function bind(server: Server, port = 0): Promise<number> {
  return new Promise((resolve, reject) =>
    server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    ),
  );
}
