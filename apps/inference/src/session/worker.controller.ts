import { type Metadata, type ServerUnaryCall, status } from '@grpc/grpc-js';
import { Controller } from '@nestjs/common';
import { GrpcMethod, GrpcStreamCall, RpcException } from '@nestjs/microservices';
import { from, type Observable } from 'rxjs';
import type {
  DrainRequest,
  DrainResponse,
  EmbedRequest,
  EmbedResponse,
  GetModelFilesRequest,
  ListAdaptersResponse,
  LoadAdapterRequest,
  LoadAdapterResponse,
  ModelFileChunk,
  UnloadAdapterRequest,
  UnloadAdapterResponse,
} from '#lib/contracts';
import { AdapterCalls } from '../adapters/adapter-calls.js';
import { Embeddings } from '../embedding/embeddings.js';
import { EngineHost } from '../engine/engine-host.js';
import { Drain } from '../lifecycle/drain.js';
import type { SessionCall } from './gateway-session.js';
import { GatewaySessions } from './gateway-sessions.js';
import { modelFileChunks } from './model-file-chunks.js';

/** `hydra.internal.v1.Worker`. Sessions use the raw call: Nest's observables do not wait for a slow reader. */
@Controller()
export class WorkerController {
  constructor(
    private readonly sessions: GatewaySessions,
    private readonly embeddings: Embeddings,
    private readonly host: EngineHost,
    private readonly lifecycle: Drain,
    private readonly adapters: AdapterCalls,
  ) {}

  @GrpcStreamCall('Worker', 'session')
  session(call: SessionCall): void {
    this.sessions.accept(call);
  }

  @GrpcMethod('Worker', 'getModelFiles')
  getModelFiles({ textFingerprint }: GetModelFilesRequest): Observable<ModelFileChunk> {
    if (this.host.phase !== 'running') throw refused(status.UNAVAILABLE, 'The model is not loaded yet.');
    const { model, textFiles } = this.host.engine.describe();
    if (textFingerprint !== model.textFingerprint) {
      throw refused(status.NOT_FOUND, `No model here has the text fingerprint "${textFingerprint}".`);
    }
    return from(modelFileChunks(textFiles));
  }

  @GrpcMethod('Worker', 'embed')
  embed(
    request: EmbedRequest,
    _metadata: Metadata,
    call: ServerUnaryCall<EmbedRequest, EmbedResponse>,
  ): Promise<EmbedResponse> {
    const abort = new AbortController();
    call.once('cancelled', () => abort.abort());
    return this.embeddings.embed(request, abort.signal);
  }

  @GrpcMethod('Worker', 'drain')
  drain({ graceMs }: DrainRequest): DrainResponse {
    return { remainingGenerations: this.lifecycle.begin(graceMs, 'asked to over gRPC') };
  }

  @GrpcMethod('Worker', 'loadAdapter')
  loadAdapter(request: LoadAdapterRequest): Promise<LoadAdapterResponse> {
    return this.adapters.load(request);
  }

  @GrpcMethod('Worker', 'unloadAdapter')
  unloadAdapter(request: UnloadAdapterRequest): Promise<UnloadAdapterResponse> {
    return this.adapters.unload(request);
  }

  @GrpcMethod('Worker', 'listAdapters')
  listAdapters(): ListAdaptersResponse {
    return this.adapters.list();
  }
}

function refused(code: status, message: string): RpcException {
  return new RpcException({ code, message });
}
