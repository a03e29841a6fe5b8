import { Controller, Inject, Post, Req, Res, UseGuards } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { HydraConfig } from '#lib/config';
import { Tracing } from '#lib/observability';
import {
  type CompletionCall,
  parseChatRequest,
  parseCompletionRequest,
  parseJsonBody,
  type RequestLimits,
  toAnswerBody,
} from '#lib/openai';
import { CompletionService } from '../completion/completion-service.js';
import { FailureTranslator } from '../completion/failure-translator.js';
import { RequestLife } from '../completion/request-life.js';
import { WholeAnswerSink } from '../completion/whole-answer.js';
import { GATEWAY_CONFIG } from '../gateway-config.js';
import { IdempotencyStore } from '../idempotency/idempotency-store.js';
import { principalOf } from '../identity/rest-authentication.js';
import { countedRequest } from '../limits/counted-request.js';
import { limitHeaders, withLimits } from '../limits/limit-headers.js';
import { RequestRateGuard } from '../limits/request-rate.guard.js';
import { GatewayMetrics } from '../observation/gateway-metrics.js';
import { beginRestRecord, failRest, recordRest } from '../observation/request-span.js';
import {
  headerText,
  MOST_COMMENT_CHARACTERS,
  MOST_HEADER_CHARACTERS,
  PLACEMENT_HEADER,
  tellPlacements,
} from '../placement/placement-debug.js';
import { JSON_TYPE } from './error.filter.js';
import { firstOf } from './first-header.js';
import { SocketTurn } from './socket-turn.js';
import { SseReply } from './sse-reply.js';

type ParseCall = (body: unknown, limits: RequestLimits) => CompletionCall;

/** `POST /v1/completions` and `POST /v1/chat/completions`. */
@Controller('v1')
@UseGuards(RequestRateGuard)
export class CompletionsController {
  private readonly turn = new SocketTurn();

  constructor(
    @Inject(GATEWAY_CONFIG) private readonly config: HydraConfig,
    private readonly completions: CompletionService,
    private readonly failures: FailureTranslator,
    private readonly metrics: GatewayMetrics,
    private readonly idempotency: IdempotencyStore,
    private readonly tracing: Tracing,
  ) {}

  @Post('completions')
  complete(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    return this.answer(request, reply, parseCompletionRequest);
  }

  @Post('chat/completions')
  chat(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    return this.answer(request, reply, parseChatRequest);
  }

  private answer(request: FastifyRequest, reply: FastifyReply, parse: ParseCall): Promise<void> {
    const life = lifeOf(request, this.tracing);
    return recordRest(life.record, () => withLimits(life, reply, () => this.answerWithin(life, request, reply, parse)));
  }

  private async answerWithin(
    life: RequestLife,
    request: FastifyRequest,
    reply: FastifyReply,
    parse: ParseCall,
  ): Promise<void> {
    const { bodyDepth, maxChoices } = this.config.gateway;
    const body = parseJsonBody((request.body as Buffer | undefined) ?? Buffer.alloc(0), bodyDepth);
    const call = parse(body, { maxChoices });
    const leave = () => {
      if (!reply.raw.writableFinished) life.clientGone();
    };
    reply.raw.once('close', leave);
    if (reply.raw.destroyed) leave();
    if (call.stream) await this.stream(call, life, reply);
    else await this.whole(call, life, request, reply);
  }

  private async whole(
    call: CompletionCall,
    life: RequestLife,
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<void> {
    const key = firstOf(request.headers['idempotency-key']);
    const body = await (key === undefined
      ? this.bodyOf(call, life, reply)
      : this.once(key, call, life, request, reply));
    this.metrics.answered(life.route, 200, 'ok');
    void reply.status(200).headers(limitHeaders(life.limits)).header('content-type', JSON_TYPE).send(body);
  }

  /** What `Idempotency-Key` asks for. */
  private async once(
    key: string,
    call: CompletionCall,
    life: RequestLife,
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<string> {
    await this.completions.assertMayAsk(call, life);
    const sent = [life.route, request.body as Buffer] as const;
    const { body, isReplayed } = await this.idempotency.once(life.tenantId, key, sent, () =>
      this.bodyOf(call, life, reply),
    );
    if (isReplayed) void reply.header('idempotent-replayed', 'true');
    return body;
  }

  private async bodyOf(call: CompletionCall, life: RequestLife, reply: FastifyReply): Promise<string> {
    const sink = new WholeAnswerSink();
    const placements: string[] = [];
    tellPlacements(life, MOST_HEADER_CHARACTERS, (text) => placements.push(text));
    const { head, answer } = sink.whole(await this.completions.complete(call, life, sink));
    if (placements.length > 0) void reply.header(PLACEMENT_HEADER, headerText(placements));
    return JSON.stringify(toAnswerBody(head, answer));
  }

  private async stream(call: CompletionCall, life: RequestLife, reply: FastifyReply): Promise<void> {
    const sse = new SseReply(reply, life, this.config.gateway.keepAliveCommentMs, this.turn);
    tellPlacements(life, MOST_COMMENT_CHARACTERS, (text) => sse.comment(`placement ${text}`));
    try {
      sse.end(await this.completions.complete(call, life, sse));
      this.metrics.answered(life.route, 200, 'ok');
    } catch (cause) {
      if (!sse.hasBegun) throw cause; // the filter gives it a status
      const error = this.failures.translate(cause, life);
      this.metrics.answered(life.route, 200, error.countedAs);
      sse.fail(error);
      failRest(life.record, error, 200);
    } finally {
      sse.close();
    }
  }
}

/** Who asks, and in what trace. */
export function lifeOf(request: FastifyRequest, tracing: Tracing): RequestLife {
  const { 'x-session-id': session, 'x-slo-ttft-ms': sloTtft, 'x-hydra-debug': debug } = request.headers;
  const principal = principalOf(request);
  const route = request.routeOptions.url ?? request.url;
  return new RequestLife({
    requestId: request.id,
    record: beginRestRecord(tracing, request, route, principal.tenantId),
    principal,
    route,
    counted: countedRequest(request),
    sessionHeader: firstOf(session),
    sloTtftHeader: firstOf(sloTtft),
    debugHeader: firstOf(debug),
  });
}
