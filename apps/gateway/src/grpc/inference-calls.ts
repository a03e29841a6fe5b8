import {
  Metadata,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceError,
  type sendUnaryData,
  status,
} from '@grpc/grpc-js';
import { Inject, Injectable } from '@nestjs/common';
import type { HydraConfig } from '#lib/config';
import { publicApi } from '#lib/contracts';
import { requestIdFrom, Tracing } from '#lib/observability';
import {
  type AnswerHead,
  type CompletionCall,
  fromGrpcChat,
  fromGrpcCompletion,
  GrpcChatStream,
  GrpcCompletionStream,
  type RequestLimits,
  toGrpcChatResponse,
  toGrpcCompletionResponse,
  toGrpcModel,
  type WholeAnswer,
} from '#lib/openai';
import { CompletionService } from '../completion/completion-service.js';
import { FailureTranslator } from '../completion/failure-translator.js';
import { RequestLife } from '../completion/request-life.js';
import { WholeAnswerSink } from '../completion/whole-answer.js';
import { ModelDirectory } from '../fleet/model-directory.js';
import { GATEWAY_CONFIG } from '../gateway-config.js';
import { GrpcAuthentication } from '../identity/grpc-authentication.js';
import { ModelAccess, type ModelRights } from '../identity/model-access.js';
import { beginGrpcRecord, endGrpc, failGrpc } from '../observation/request-span.js';
import { headerText, MOST_HEADER_CHARACTERS, PLACEMENT_HEADER, tellPlacements } from '../placement/placement-debug.js';
import { assertDecoded } from './decoded-requests.js';
import { type CreateGrpcStream, GrpcStreamReply } from './grpc-stream-reply.js';
import { statusOf } from './public-status.js';

type Translate<Request> = (request: Request, stream: boolean, limits: RequestLimits) => CompletionCall;
type ToResponse<Response> = (head: AnswerHead, answer: WholeAnswer) => Response;
type AnyCall = ServerUnaryCall<unknown, unknown> | ServerWritableStream<unknown, unknown>;

/** The methods of `hydra.v1.Inference`: the road of REST, with messages instead of bodies. None of them ever rejects. */
@Injectable()
export class InferenceCalls {
  constructor(
    @Inject(GATEWAY_CONFIG) private readonly config: HydraConfig,
    private readonly completions: CompletionService,
    private readonly models: ModelDirectory,
    private readonly access: ModelAccess,
    private readonly authentication: GrpcAuthentication,
    private readonly failures: FailureTranslator,
    private readonly tracing: Tracing,
  ) {}

  readonly handlers: publicApi.InferenceServer = {
    complete: (call, reply) => void this.unary(call, reply, fromGrpcCompletion, toGrpcCompletionResponse),
    chat: (call, reply) => void this.unary(call, reply, fromGrpcChat, toGrpcChatResponse),
    streamComplete: (call) => void this.stream(call, fromGrpcCompletion, (...of) => new GrpcCompletionStream(...of)),
    streamChat: (call) => void this.stream(call, fromGrpcChat, (...of) => new GrpcChatStream(...of)),
    listModels: (call, reply) =>
      void this.answer(call, reply, (rights) => ({ models: this.models.list(rights).map(toGrpcModel) })),
    getModel: (call, reply) =>
      void this.answer(call, reply, (rights) => toGrpcModel(this.models.find(call.request.id, rights))),
  };

  private async unary<Request, Response>(
    call: ServerUnaryCall<Request, Response>,
    reply: sendUnaryData<Response>,
    translate: Translate<Request>,
    toResponse: ToResponse<Response>,
  ): Promise<void> {
    const life = this.lifeOf(call);
    try {
      const sink = new WholeAnswerSink();
      const trailer = placementTrailer(life);
      const usage = await this.completions.complete(this.translated(call, translate, life, false), life, sink);
      const { head, answer } = sink.whole(usage);
      endGrpc(life.record);
      reply(null, toResponse(head, answer), trailer);
    } catch (cause) {
      reply(this.toStatus(cause, life));
    }
  }

  private async stream<Request, Chunk>(
    call: ServerWritableStream<Request, Chunk>,
    translate: Translate<Request>,
    create: CreateGrpcStream<Chunk>,
  ): Promise<void> {
    const life = this.lifeOf(call);
    try {
      const sink = new GrpcStreamReply(call, life.signal, create, placementTrailer(life));
      sink.end(await this.completions.complete(this.translated(call, translate, life, true), life, sink));
      endGrpc(life.record);
    } catch (cause) {
      call.emit('error', this.toStatus(cause, life));
    }
  }

  private async answer<Response>(
    call: ServerUnaryCall<unknown, Response>,
    reply: sendUnaryData<Response>,
    make: (rights: ModelRights) => Response,
  ): Promise<void> {
    const life = this.lifeOf(call);
    try {
      assertDecoded(call.request);
      reply(null, make(await this.access.of(life.principal)));
      endGrpc(life.record);
    } catch (cause) {
      reply(this.toStatus(cause, life));
    }
  }

  /** The call's own deadline counts like `timeout_ms`. */
  private translated<Request>(
    call: ServerUnaryCall<Request, unknown> | ServerWritableStream<Request, unknown>,
    translate: Translate<Request>,
    life: RequestLife,
    stream: boolean,
  ): CompletionCall {
    assertDecoded(call.request);
    const translated = translate(call.request, stream, { maxChoices: this.config.gateway.maxChoices });
    const allowedMs = Number(call.getDeadline()) - Date.now() + life.ageMs; // since its arrival, as `timeout_ms` counts
    if (!Number.isFinite(allowedMs)) return translated;
    const timeoutMs = Math.max(1, Math.min(translated.timeoutMs ?? allowedMs, allowedMs));
    return { ...translated, timeoutMs };
  }

  private lifeOf(call: AnyCall): RequestLife {
    const header = (name: string) => {
      const [value] = call.metadata.get(name);
      return value === undefined ? undefined : value.toString();
    };
    const requestId = requestIdFrom(header('x-request-id'));
    const principal = this.authentication.principalOf(call);
    const caller = { traceparent: header('traceparent'), tracestate: header('tracestate') };
    const about = { ...caller, requestId, tenantId: principal.tenantId };
    const life = new RequestLife({
      requestId,
      principal,
      record: beginGrpcRecord(this.tracing, call.getPath(), about),
      route: call.getPath(),
      sessionHeader: header('x-session-id'),
      sloTtftHeader: header('x-slo-ttft-ms'),
      debugHeader: header('x-hydra-debug'),
    });
    const metadata = new Metadata();
    metadata.set('x-request-id', life.requestId);
    call.sendMetadata(metadata);
    call.on('cancelled', () => (isPastDeadline(call) ? life.passClientsDeadline() : life.clientGone()));
    return life;
  }

  private toStatus(cause: unknown, life: RequestLife): ServiceError {
    const error = this.failures.translate(cause, life);
    const ended = statusOf(error);
    failGrpc(life.record, error, status[ended.code]);
    return Object.assign(new Error(ended.details), ended);
  }
}

/** Trailing metadata that gets each decision of the scheduler, when the call asks for them and may know. */
function placementTrailer(life: RequestLife): Metadata {
  const trailer = new Metadata();
  const placements: string[] = [];
  tellPlacements(life, MOST_HEADER_CHARACTERS, (text) => {
    placements.push(text);
    trailer.set(PLACEMENT_HEADER, headerText(placements));
  });
  return trailer;
}

/** Timers may be early by a part of a millisecond. */
function isPastDeadline(call: AnyCall): boolean {
  return Number(call.getDeadline()) <= Date.now() + 1;
}
