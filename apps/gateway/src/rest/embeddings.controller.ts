import { Controller, Inject, Post, Req, Res, UseGuards } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { HydraConfig } from '#lib/config';
import { Tracing } from '#lib/observability';
import { embeddingListBody, parseEmbeddingRequest, parseJsonBody } from '#lib/openai';
import type { RequestLife } from '../completion/request-life.js';
import { EmbeddingService } from '../embedding/embedding-service.js';
import { GATEWAY_CONFIG } from '../gateway-config.js';
import { limitHeaders, withLimits } from '../limits/limit-headers.js';
import { RequestRateGuard } from '../limits/request-rate.guard.js';
import { GatewayMetrics } from '../observation/gateway-metrics.js';
import { recordRest } from '../observation/request-span.js';
import { lifeOf } from './completions.controller.js';
import { JSON_TYPE } from './error.filter.js';

/** `POST /v1/embeddings`. */
@Controller('v1')
@UseGuards(RequestRateGuard)
export class EmbeddingsController {
  constructor(
    @Inject(GATEWAY_CONFIG) private readonly config: HydraConfig,
    private readonly embeddings: EmbeddingService,
    private readonly metrics: GatewayMetrics,
    private readonly tracing: Tracing,
  ) {}

  @Post('embeddings')
  embed(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const life = lifeOf(request, this.tracing);
    return recordRest(life.record, () => withLimits(life, reply, () => this.answerWithin(life, request, reply)));
  }

  private async answerWithin(life: RequestLife, request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const body = (request.body as Buffer | undefined) ?? Buffer.alloc(0);
    const call = parseEmbeddingRequest(parseJsonBody(body, this.config.gateway.bodyDepth));
    const leave = () => {
      if (!reply.raw.writableFinished) life.clientGone();
    };
    reply.raw.once('close', leave);
    if (reply.raw.destroyed) leave();
    const embedded = await this.embeddings.embed(call, life);
    this.metrics.answered(life.route, 200, 'ok');
    const answer = embeddingListBody(call.model, call.encoding, embedded, embedded.usage?.promptTokens ?? 0);
    void reply
      .status(200)
      .headers(limitHeaders(life.limits))
      .header('content-type', JSON_TYPE)
      .send(JSON.stringify(answer));
  }
}
