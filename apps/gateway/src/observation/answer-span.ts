import { FailureCode } from '#lib/contracts';
import type { RecordedSpan, SpanError } from '#lib/observability';
import { type AnswerUsage, ApiError, type CompletionCall } from '#lib/openai';

/** `gen_ai.provider.name`: who computes. */
export const PROVIDER = 'hydraserve';

/** `gen_ai.operation.name`. */
export type GenAiOperation = 'chat' | 'text_completion' | 'embeddings';

/**
 * The span of one answer, by the conventions of OpenTelemetry for generative AI: `{operation} {model}`. The name has the model as
 * it is served, once that is known: what clients write there has no bound.
 * @see https://github.com/open-telemetry/semantic-conventions-genai (v0.1.0, November 2026)
 */
export function beginAnswerSpan(parent: RecordedSpan, operation: GenAiOperation): RecordedSpan {
  return parent.child(operation).set({ 'gen_ai.operation.name': operation, 'gen_ai.provider.name': PROVIDER });
}

export function operationOf({ kind }: Pick<CompletionCall, 'kind'>): GenAiOperation {
  return kind === 'chat' ? 'chat' : 'text_completion';
}

/** @param modelId  of the model that serves it, after aliases */
export function setModel(span: RecordedSpan, modelId: string): void {
  span.name = `${span.name} ${modelId}`;
  span.set({ 'gen_ai.request.model': modelId, 'gen_ai.response.model': modelId });
}

/** What the client asked for; nothing of what it wrote. */
export function setCall(span: RecordedSpan, call: CompletionCall, answerId: string): void {
  const { sampling, stop, choicesPerPrompt, stream } = call;
  span.set({
    'gen_ai.response.id': answerId,
    'gen_ai.request.max_tokens': stop.maxTokens,
    'gen_ai.request.temperature': sampling.temperature,
    'gen_ai.request.top_p': sampling.topP,
    'gen_ai.request.top_k': sampling.topK,
    'gen_ai.request.presence_penalty': sampling.presencePenalty,
    'gen_ai.request.frequency_penalty': sampling.frequencyPenalty,
    'gen_ai.request.seed': sampling.seed,
    'gen_ai.request.stream': stream,
    'gen_ai.request.choice.count': choicesPerPrompt > 1 ? choicesPerPrompt : undefined,
  });
}

export function setUsage(span: RecordedSpan, usage: AnswerUsage): void {
  span.set({
    'gen_ai.usage.input_tokens': usage.promptTokens,
    'gen_ai.usage.output_tokens': usage.completionTokens,
    'gen_ai.usage.cache_read.input_tokens': usage.cachedTokens,
  });
}

/** Ends a span with what went wrong. A client that left is no failure, and what is the client's fault is named, not told. */
export function failSpan(span: RecordedSpan, cause: unknown): void {
  const error = spanErrorOf(cause);
  if (error !== undefined) span.fail(error);
  else span.set({ 'hydra.outcome': 'client_closed' }).end();
}

function spanErrorOf(cause: unknown): SpanError | undefined {
  if (!(cause instanceof ApiError)) return { type: 'internal_error', message: '' }; // the log has it
  if (cause.condition === 'client_closed') return undefined;
  return { type: cause.condition, message: cause.httpStatus >= 500 ? cause.message : '' };
}

/** How a worker failed. What the request itself is to blame for is named, not told: it may hold a client's words. */
export function workerSpanError({
  code,
  message,
}: {
  readonly code: FailureCode;
  readonly message: string;
}): SpanError {
  const type = (FailureCode[code] ?? 'UNKNOWN').toLowerCase();
  return { type, message: code === FailureCode.INVALID_REQUEST ? '' : message };
}
