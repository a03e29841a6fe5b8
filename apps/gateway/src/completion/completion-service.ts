import { randomInt } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import type { HydraConfig } from '#lib/config';
import type { FrameEntry, GenerationRequest, GenerationUsage } from '#lib/contracts';
import { APP_LOGGER, FlatLines, generationFields, type Logger, newId, type RecordedSpan } from '#lib/observability';
import {
  type AnswerUsage,
  ApiError,
  answerHead,
  assertCaps,
  type CompletionCall,
  PromptAnswer,
  sumUsage,
  toGenerationRequests,
} from '#lib/openai';
import { ModelDirectory, type ResolvedModel } from '../fleet/model-directory.js';
import { assertTask } from '../fleet/model-tasks.js';
import { GATEWAY_CONFIG } from '../gateway-config.js';
import { ModelAccess } from '../identity/model-access.js';
import type { AnswerSpending } from '../limits/answer-spending.js';
import { demandOf, RequestLimits } from '../limits/request-limits.js';
import { beginAnswerSpan, failSpan, operationOf, setCall, setModel, setUsage } from '../observation/answer-span.js';
import { GatewayMetrics } from '../observation/gateway-metrics.js';
import { GenAiMetrics } from '../observation/gen-ai-metrics.js';
import { LatencyTimer } from '../observation/latency-timer.js';
import { endedByClient, outcomeOf } from '../observation/outcome.js';
import { GenerationRunner, SiblingFailedError } from '../placement/generation-runner.js';
import { AdmissionGate } from './admission-gate.js';
import type { AnswerSink } from './answer-sink.js';
import { cacheSaltOf } from './cache-salt.js';
import { coveredEntries, tokensOf } from './covered-entries.js';
import { PromptEncoder } from './prompt-encoder.js';
import type { RequestLife } from './request-life.js';

const SEED_BOUND = 2 ** 48 - 1; // the most that randomInt draws at once

/**
 * The road of every request, REST or gRPC, streamed or whole:
 * admit → resolve the model → count the request → tokenize → reserve → (place → submit → stream → settle) per prompt → usage.
 */
@Injectable()
export class CompletionService {
  private readonly lines: FlatLines;

  constructor(
    @Inject(GATEWAY_CONFIG) private readonly config: HydraConfig,
    @Inject(APP_LOGGER) logger: Logger,
    private readonly gate: AdmissionGate,
    private readonly models: ModelDirectory,
    private readonly access: ModelAccess,
    private readonly limits: RequestLimits,
    private readonly prompts: PromptEncoder,
    private readonly generations: GenerationRunner,
    private readonly metrics: GatewayMetrics,
    private readonly genAi: GenAiMetrics,
  ) {
    this.lines = new FlatLines(logger);
  }

  /**
   * What must hold also before an answer that is known is given again.
   * @throws ApiError model_not_found for a model that the caller may not use; invalid_value for a parameter above its cap
   */
  async assertMayAsk(call: CompletionCall, { principal }: RequestLife): Promise<void> {
    assertCaps(call, this.models.capsOf(call.model, await this.access.of(principal)));
  }

  /**
   * Answers a validated call into `sink`.
   * @returns usage of the whole answer
   * @throws ApiError what the client is to be told, whether or not something was delivered before
   */
  async complete(call: CompletionCall, life: RequestLife, sink: AnswerSink): Promise<AnswerUsage> {
    const entry = this.gate.enter(life);
    let spending: AnswerSpending | undefined;
    let usage: AnswerUsage | undefined;
    let isLost = false;
    const span = beginAnswerSpan(life.record.root, operationOf(call));
    try {
      const { requestTimeoutMs } = this.config.gateway;
      life.limit(requestTimeoutMs, call.timeoutMs);
      this.metrics.sawUnknownFields(life.route, call.unknownFields.length);

      const { sloTtftMs } = life;

      const rights = await this.access.of(life.principal);
      const model = await this.models.resolve(call.model, rights, life.signal);
      assertTask(model.served, 'generate');
      setModel(span, model.id);
      const admitted = await this.limits.admit(life, model);
      const encoding = span.child('tokenize');
      const promptTokenIds = await this.prompts.encode(call, model.text, model.facts.contextTokens, life.signal);
      encoding.end();
      life.signal.throwIfAborted();
      const requests = this.toRequests(call, model, promptTokenIds, life, span);
      const answerId = requests[0]?.generationId ?? newId();
      setCall(span, call, answerId);
      spending = await this.limits.reserve(admitted, demandOf(answerId, requests));
      sink.begin(toHead(call, model, answerId), {
        includeUsage: call.includeUsage,
        continuousUsage: call.continuousUsage,
        returnTokenIds: call.returnTokenIds,
        promptTokenIds,
        choicesPerPrompt: call.choicesPerPrompt,
      });
      const slo = sloTtftMs ?? this.defaultSloTtftMs(model);
      const ttftDeadlineUnixMs = slo === undefined ? 0 : life.unixMsAfter(slo);
      usage = await this.generateAll(call, model, requests, life, sink, spending, ttftDeadlineUnixMs, span);
      setUsage(span, usage);
      span.end();
      return usage;
    } catch (cause) {
      if (spending !== undefined && isCutShort(cause, spending, sink)) {
        sink.cut?.();
        setUsage(span, spending.usage);
        failSpan(span, cause);
        return spending.usage;
      }
      const told = life.attributed(cause);
      isLost = !call.stream && !endedByClient(told); // who leaves, or lets his own deadline pass, pays for what was computed until then
      failSpan(span, cause);
      throw told;
    } finally {
      spending?.end(usage, isLost);
      life.close();
      this.gate.leave(entry);
    }
  }

  private toRequests(
    call: CompletionCall,
    model: ResolvedModel,
    promptTokenIds: readonly (readonly number[])[],
    life: RequestLife,
    span: RecordedSpan,
  ): GenerationRequest[] {
    const requests = toGenerationRequests(call, model.facts, promptTokenIds, {
      requestId: life.requestId,
      tenantId: life.tenantId,
      newGenerationId: newId,
      drawSeed: () => randomInt(SEED_BOUND),
      deadlineUnixMs: life.deadlineUnixMs,
      initialCredit: this.config.gateway.streamBufferTokens,
      cacheSalt: cacheSaltOf(life.principal.cacheSalt, call.cacheSalt),
      trace: span.traceContext,
    });
    life.record.generationIds.push(...requests.map(({ generationId }) => generationId));
    return requests;
  }

  private defaultSloTtftMs({ facts: { modelId } }: ResolvedModel): number | undefined {
    return this.config.models.find(({ id }) => id === modelId)?.sloTtftMs;
  }

  /** Runs the generations of all prompts at once into one answer; the first that fails ends the others. */
  private async generateAll(
    call: CompletionCall,
    model: ResolvedModel,
    requests: readonly GenerationRequest[],
    life: RequestLife,
    sink: AnswerSink,
    spending: AnswerSpending,
    ttftDeadlineUnixMs: number,
    span: RecordedSpan,
  ): Promise<AnswerUsage> {
    const timer = new LatencyTimer(this.metrics, model.id, life.arrivedAtMs, call.stream, span);
    const finishReasons: string[] = [];
    const siblings = new AbortController();
    const signal = requests.length === 1 ? life.signal : AbortSignal.any([life.signal, siblings.signal]);
    const sessionKey = life.sessionHeader ?? call.sessionId ?? call.user ?? '';
    const runOne = async (request: GenerationRequest, promptIndex: number): Promise<GenerationUsage> => {
      const answer = new PromptAnswer(call, {
        index: promptIndex,
        tokenIds: request.promptTokenIds,
        text: call.echo ? this.prompts.echo(call, promptIndex, model.text) : '',
        table: () => model.text.table,
      });
      const hand = (entries: readonly FrameEntry[]) => {
        const deltas = entries.map((entry) => answer.delta(entry));
        for (const delta of deltas) {
          timer.observe(delta);
          if (delta.finish !== undefined) finishReasons.push(delta.finish);
        }
        return sink.deltas(deltas);
      };
      const deliver = (entries: readonly FrameEntry[]) =>
        spending.coverAtOnce(tokensOf(entries)) ? hand(entries) : deliverCovered(entries, spending, hand);
      const { onPlaced } = life;
      const job = { request, served: model.served, sessionKey, ttftDeadlineUnixMs, onPlaced, signal, span };
      try {
        return await this.generations.run(job, deliver);
      } catch (error) {
        siblings.abort(new SiblingFailedError('Another prompt of the request failed.', { cause: error }));
        throw error;
      }
    };
    let outcome = 'answered';
    let usage: AnswerUsage | undefined;
    try {
      const usages = await Promise.all(requests.map(runOne));
      span.set({ 'gen_ai.response.finish_reasons': finishReasons });
      usage = sumUsage(usages);
      this.metrics.usedTokens(model.id, usage);
      return usage;
    } catch (error) {
      outcome = outcomeOf(error);
      if (outcome === 'client_closed') this.metrics.clientGone(timer.hasStarted ? 'streaming' : 'waiting');
      throw error;
    } finally {
      const durationMs = life.ageMs;
      const { exemplar } = span;
      this.metrics.requestDuration(life.route, model.id, durationMs, exemplar);
      this.genAi.ended({
        ...{ operation: operationOf(call), model: model.id, durationMs, exemplar },
        errorType: usage === undefined ? outcome : undefined,
        firstTokenMs: timer.firstTokenMs,
        outputTokens: usage && usage.completionTokens / Math.max(1, timer.choiceCount),
      });
      for (const request of requests) {
        this.lines.info(
          {
            ...generationFields(request),
            model: request.adapterId || request.modelId,
            route: life.route,
            outcome,
            ms: Math.round(durationMs),
          },
          'generation ended',
        );
      }
    }
  }
}

/**
 * Whether a quota ended within an answer that is sent whole: what it covered is delivered and counts. An error instead would give
 * away what was computed, as often as somebody asks.
 */
function isCutShort(cause: unknown, spending: AnswerSpending, sink: AnswerSink): boolean {
  return isQuotaEnd(cause) && sink.cut !== undefined && spending.usage.completionTokens > 0;
}

/** Where a quota ends within what came together, what it still covers is delivered. */
async function deliverCovered(
  entries: readonly FrameEntry[],
  spending: AnswerSpending,
  hand: (entries: readonly FrameEntry[]) => Promise<void> | undefined,
): Promise<void> {
  const tokens = tokensOf(entries);
  try {
    await spending.cover(tokens);
  } catch (refusal) {
    if (!isQuotaEnd(refusal)) throw refusal;
    const covered = coveredEntries(entries, await spending.room(tokens));
    if (covered.length > 0 && spending.coverAtOnce(tokensOf(covered))) await hand(covered);
    await spending.assertRoom(); // what is told counts what was just delivered
    throw refusal;
  }
  await hand(entries);
}

function isQuotaEnd(cause: unknown): boolean {
  return cause instanceof ApiError && cause.condition === 'insufficient_quota';
}

function toHead(call: CompletionCall, model: ResolvedModel, answerId: string) {
  const created = Math.floor(Date.now() / 1_000);
  return answerHead(call.kind, answerId, call.model, model.served.modelFingerprint, created);
}
