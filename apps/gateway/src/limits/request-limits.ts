import { Inject, Injectable } from '@nestjs/common';
import type { HydraConfig } from '#lib/config';
import type { GenerationRequest } from '#lib/contracts';
import { LimitBook, type LimitedSubject, type LimitState, type Price, type Reservation, tightest } from '#lib/limits';
import type { RequestLife } from '../completion/request-life.js';
import { GATEWAY_CONFIG } from '../gateway-config.js';
import { GatewayMetrics } from '../observation/gateway-metrics.js';
import { AnswerSpending } from './answer-spending.js';
import { LimitSubjects } from './limit-subjects.js';
import { counted, refusalError } from './refusal-error.js';
import { RequestRates } from './request-rates.js';

/** What an answer can use. */
export type AnswerDemand = Pick<Reservation, 'id' | 'promptTokens' | 'outputTokens' | 'leastOutputTokens'>;

/** A request that is within its limits of requests. */
export interface AdmittedRequest {
  readonly life: RequestLife;
  /** Of the model, or the adapter on it, that was asked for. */
  readonly modelId: string;
  readonly price: Price;
  readonly subjects: readonly LimitedSubject[];
  readonly requests: LimitState | undefined;
}

/** What of a resolved model limits are about. */
interface AskedModel {
  readonly id: string;
  readonly facts: { readonly modelId: string };
}

const FREE: Price = { input: 0, cachedInput: 0, output: 0 };

/** Holds requests to the limits of their tenant, their key and their model. */
@Injectable()
export class RequestLimits {
  private readonly prices: ReadonlyMap<string, Price>;

  constructor(
    @Inject(GATEWAY_CONFIG) private readonly config: HydraConfig,
    private readonly book: LimitBook,
    private readonly subjects: LimitSubjects,
    private readonly rates: RequestRates,
    private readonly metrics: GatewayMetrics,
  ) {
    this.prices = new Map(
      config.models.flatMap(({ id, price }) =>
        price === undefined ? [] : [[id, { ...price, cachedInput: price.cachedInput ?? price.input }]],
      ),
    );
  }

  /**
   * Counts the request, before its prompt is looked at. An adapter is limited under its own name, at its model's price.
   * @throws ApiError rate_limit_exceeded
   */
  async admit(life: RequestLife, { id: modelId, facts }: AskedModel): Promise<AdmittedRequest> {
    const { counted } = life;
    const known = counted?.subjects ?? (await this.subjects.of(life.principal));
    const subjects = known.filter((subject) => subject.modelId === undefined || subject.modelId === modelId);
    const uncounted = counted === undefined ? subjects : subjects.filter((subject) => subject.modelId !== undefined);
    let requests = counted?.state;
    if (uncounted.length > 0) {
      await this.rates.count(life.tenantId, uncounted, (state) => {
        requests = tightest([counted?.state, state]);
        life.limits = { requests, tokens: undefined };
      });
    }
    return { life, modelId, price: this.prices.get(facts.modelId) ?? FREE, subjects, requests };
  }

  /**
   * Reserves the prompt and the first slice of the answer; the caller ends the spending, whatever the end of the request.
   * @throws ApiError rate_limit_exceeded, insufficient_quota, limits_unavailable
   */
  async reserve(
    { life, modelId, price, subjects, requests }: AdmittedRequest,
    demand: AnswerDemand,
  ): Promise<AnswerSpending> {
    const { tenantId, principal, requestId } = life;
    const reservation: Reservation = {
      ...demand,
      tenantId,
      subjects,
      price,
      sliceTokens: this.config.limits.sliceTokens,
      about: { keyId: principal.keyId ?? '', modelId, requestId },
    };
    const decision = await counted(() => this.book.begin(reservation));
    life.limits = { requests, tokens: decision.tokens };
    if (decision.isAllowed) return new AnswerSpending(this.book, reservation, decision.coveredTokens);
    this.metrics.overLimit(tenantId, decision.name);
    throw refusalError(decision);
  }
}

/** What the prompts and the longest answers there can be need. */
export function demandOf(id: string, requests: readonly GenerationRequest[]): AnswerDemand {
  const sum = (of: (request: GenerationRequest) => number) => requests.reduce((total, one) => total + of(one), 0);
  return {
    id,
    promptTokens: sum(({ promptTokenIds }) => promptTokenIds.length),
    outputTokens: sum(({ sequenceCount, stop }) => sequenceCount * (stop?.maxTokens ?? 0)),
    leastOutputTokens: sum(({ sequenceCount }) => sequenceCount),
  };
}
