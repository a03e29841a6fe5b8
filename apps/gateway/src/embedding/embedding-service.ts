import { Inject, Injectable } from '@nestjs/common';
import { GrpcStatusError } from '#lib/channels';
import type { HydraConfig } from '#lib/config';
import { type Embedded, type EmbedRequest, FailureCode, GenerationRequest } from '#lib/contracts';
import type { TokenUse } from '#lib/limits';
import { newId, type RecordedSpan } from '#lib/observability';
import { ApiError, type EmbeddingCall, fromWorkerFailure, type PromptInput } from '#lib/openai';
import { type TextModel, TextTooLongError, TooManyTokensError } from '#lib/tokens';
import { AdmissionGate } from '../completion/admission-gate.js';
import type { RequestLife } from '../completion/request-life.js';
import { FleetView } from '../fleet/fleet-view.js';
import { ModelDirectory, type ResolvedModel } from '../fleet/model-directory.js';
import { assertTask } from '../fleet/model-tasks.js';
import { GATEWAY_CONFIG } from '../gateway-config.js';
import { ModelAccess } from '../identity/model-access.js';
import type { AnswerSpending } from '../limits/answer-spending.js';
import { RequestLimits } from '../limits/request-limits.js';
import { beginAnswerSpan, failSpan, setModel, setUsage, workerSpanError } from '../observation/answer-span.js';
import { GatewayMetrics } from '../observation/gateway-metrics.js';
import { GenAiMetrics } from '../observation/gen-ai-metrics.js';
import { outcomeOf } from '../observation/outcome.js';
import { Attempts } from '../placement/attempts.js';
import { type Place, Placer } from '../placement/placer.js';

/** The road of a request for embeddings: admit → resolve the model → count the request → tokenize → reserve → place → embed → settle. */
@Injectable()
export class EmbeddingService {
  constructor(
    @Inject(GATEWAY_CONFIG) private readonly config: HydraConfig,
    private readonly gate: AdmissionGate,
    private readonly models: ModelDirectory,
    private readonly access: ModelAccess,
    private readonly limits: RequestLimits,
    private readonly placer: Placer,
    private readonly fleet: FleetView,
    private readonly metrics: GatewayMetrics,
    private readonly genAi: GenAiMetrics,
  ) {}

  /** @throws ApiError what the client is to be told */
  async embed(call: EmbeddingCall, life: RequestLife): Promise<Embedded> {
    const entry = this.gate.enter(life);
    let spending: AnswerSpending | undefined;
    let usage: TokenUse | undefined;
    const span = beginAnswerSpan(life.record.root, 'embeddings');
    try {
      const { requestTimeoutMs } = this.config.gateway;
      life.limit(requestTimeoutMs, call.timeoutMs);
      this.metrics.sawUnknownFields(life.route, call.unknownFields.length);
      const rights = await this.access.of(life.principal);
      const model = await this.models.resolve(call.model, rights, life.signal);
      assertTask(model.served, 'embed');
      setModel(span, model.facts.modelId);
      const admitted = await this.limits.admit(life, model);
      const inputs: number[][] = [];
      for (const input of call.inputs) {
        inputs.push(await encode(input, model, life.signal)); // one after another: the first that fails ends the work
        life.signal.throwIfAborted();
      }
      const embeddingId = newId();
      life.record.generationIds.push(embeddingId);
      const promptTokens = inputs.reduce((sum, input) => sum + input.length, 0);
      const demand = { id: embeddingId, promptTokens, outputTokens: 0, leastOutputTokens: 0 };
      spending = await this.limits.reserve(admitted, demand);
      const embedded = await this.measured(model, life, () => this.run(embeddingId, inputs, model, call, life, span));
      usage = { promptTokens, completionTokens: 0, cachedTokens: 0 };
      this.metrics.usedTokens(model.facts.modelId, usage);
      setUsage(span, usage);
      span.set({ 'gen_ai.embeddings.dimension.count': embedded.dimensions }).end();
      return embedded;
    } catch (cause) {
      failSpan(span, cause);
      throw life.attributed(cause);
    } finally {
      spending?.end(usage);
      life.close();
      this.gate.leave(entry);
    }
  }

  private async measured<T>(
    { facts: { modelId } }: ResolvedModel,
    life: RequestLife,
    work: () => Promise<T>,
  ): Promise<T> {
    let errorType: string | undefined;
    try {
      return await work();
    } catch (error) {
      errorType = outcomeOf(error);
      throw error;
    } finally {
      const { ageMs: durationMs } = life;
      const { exemplar } = life.record;
      this.metrics.requestDuration(life.route, modelId, durationMs, exemplar);
      this.genAi.ended({ operation: 'embeddings', model: modelId, durationMs, errorType, exemplar });
    }
  }

  private async run(
    embeddingId: string,
    inputs: number[][],
    { served, facts }: ResolvedModel,
    call: EmbeddingCall,
    life: RequestLife,
    span: RecordedSpan,
  ): Promise<Embedded> {
    const { requestId, tenantId, deadlineUnixMs, signal } = life;
    const { modelId } = facts;
    // Schedulers place by the longest input: each one is a sequence of its own, and none has output.
    const longest = inputs.reduce((best, input) => (input.length > best.length ? input : best));
    const request = GenerationRequest.fromPartial({
      ...{ generationId: embeddingId, requestId, tenantId, modelId, deadlineUnixMs },
      ...{ promptTokenIds: longest, sequenceCount: 1 },
    });
    const sessionKey = life.sessionHeader ?? call.user ?? '';
    const attempts = new Attempts(); // an embedding may always be made again
    const { avoidWorkerIds } = attempts;
    for (;;) {
      const attempt = attempts.failed;
      const place = await this.placer.place(
        { request, served, sessionKey, ttftDeadlineUnixMs: 0, onPlaced: undefined, attempt, avoidWorkerIds, span },
        signal,
      );
      const { leaseId, workerEpoch } = place;
      const attemptSpan = span.child('embed', 'client').set({ 'hydra.worker.id': place.workerId });
      const trace = attemptSpan.traceContext;
      const { outcome } = await this.attempt(
        place,
        {
          ...{ embeddingId, requestId, tenantId, modelId, deadlineUnixMs, trace, leaseId, workerEpoch },
          inputs: inputs.map((tokenIds) => ({ tokenIds })),
        },
        life,
      ).catch((cause: unknown): never => {
        failSpan(attemptSpan, cause);
        throw cause;
      });
      if (outcome?.$case === 'embedded') {
        attemptSpan.end();
        return outcome.value;
      }
      const failure = outcome?.value ?? lost('The worker gave no answer that is understood here.');
      attemptSpan.fail(workerSpanError(failure));
      if (!failure.retryable || !attempts.mayFollow(failure.code)) throw fromWorkerFailure(failure);
      this.metrics.repeatedPlacement(FailureCode[failure.code] ?? 'UNKNOWN');
      await attempts.passOver(place.workerId, failure.retryAfterMs, signal);
    }
  }

  private async attempt(place: Place, request: EmbedRequest, { signal, record }: RequestLife) {
    let outcome = 'cancelled';
    try {
      const timeoutMs = this.config.gateway.requestTimeoutMs;
      const response = await this.fleet.session(place.target).embed(request, { timeoutMs, signal });
      outcome = response.outcome?.$case === 'embedded' ? 'finished' : 'refused';
      return response;
    } catch (error) {
      if (!(error instanceof GrpcStatusError)) throw error;
      outcome = 'worker-lost';
      return { outcome: { $case: 'failed' as const, value: lost('The connection to the worker was lost.') } };
    } finally {
      const keepTrace = record.isKept || outcome === 'refused' || outcome === 'worker-lost';
      place.settle({ outcome, usage: undefined, ttftUs: 0, keepTrace });
    }
  }
}

function lost(message: string) {
  return { code: FailureCode.WORKER_LOST, retryable: true, message, parameter: '', retryAfterMs: 0, generationId: '' };
}

async function encode(input: PromptInput, { text, facts }: ResolvedModel, signal: AbortSignal): Promise<number[]> {
  const tokenIds =
    input.kind === 'token-ids'
      ? [...input.tokenIds]
      : await encodeText(input, text, { maxTokens: facts.contextTokens, signal });
  const { param } = input;
  const { contextTokens, vocabularySize } = facts;
  if (tokenIds.length > contextTokens) {
    const message = `This model takes at most ${contextTokens} tokens, but '${param}' has ${tokenIds.length}. Please shorten it.`;
    throw new ApiError('context_length_exceeded', message, { param });
  }
  const stranger = input.kind === 'token-ids' ? tokenIds.findIndex((id) => id >= vocabularySize) : -1;
  if (stranger === -1) return tokenIds;
  const message = `Invalid '${param}[${stranger}]': token id ${tokenIds[stranger]} is outside the model's vocabulary of ${vocabularySize} tokens.`;
  throw new ApiError('invalid_value', message, { param: `${param}[${stranger}]` });
}

async function encodeText(
  { text, param }: Extract<PromptInput, { kind: 'text' }>,
  model: TextModel,
  options: { readonly maxTokens: number; readonly signal: AbortSignal },
): Promise<number[]> {
  try {
    return Array.from(await model.promptFromText(text, options));
  } catch (error) {
    if (error instanceof TooManyTokensError) {
      const message = `This model takes at most ${error.maxTokens} tokens, but '${param}' has far more. Please shorten it.`;
      throw new ApiError('context_length_exceeded', message, { param, cause: error });
    }
    if (error instanceof TextTooLongError) throw new ApiError('context_length_exceeded', error.message, { param });
    throw error;
  }
}
