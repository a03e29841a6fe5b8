import type { publicApi } from '#lib/contracts';
import type { CompletionCall, RequestLimits } from './call.js';
import { parseChatRequest } from './chat-request.js';
import { parseCompletionRequest } from './completion-request.js';

/**
 * gRPC requests take the road of REST: they are brought into the body's form and validated there, so that bounds, defaults
 * and sentences are the same. In proto3 an empty string or list is an absent one.
 * @param stream  whether a streaming method was called; a gRPC stream always ends with the usage
 * @throws ApiError that names the parameter in REST's spelling
 */
export function fromGrpcCompletion(
  request: publicApi.CompletionRequest,
  stream: boolean,
  limits: RequestLimits,
): CompletionCall {
  const prompts = request.prompts.map(({ value }) =>
    value?.$case === 'tokenIds' ? value.value.ids : (value?.value ?? ''),
  );
  const body = {
    ...optionsBody(request.model, request.options, stream),
    prompt: prompts.length === 1 && typeof prompts[0] === 'string' ? prompts[0] : prompts,
    echo: request.echo,
    logprobs: request.options?.logprobs,
  };
  return parseCompletionRequest(body, limits);
}

/** As `fromGrpcCompletion`, for a conversation. */
export function fromGrpcChat(request: publicApi.ChatRequest, stream: boolean, limits: RequestLimits): CompletionCall {
  const body = {
    ...optionsBody(request.model, request.options, stream),
    messages: request.messages.map(({ role, content, name }) => ({
      role: role || undefined,
      content,
      name: name || undefined,
    })),
    ...(request.options?.logprobs !== undefined && { logprobs: true, top_logprobs: request.options.logprobs }),
  };
  return parseChatRequest(body, limits);
}

function optionsBody(model: string, options: publicApi.GenerationOptions | undefined, stream: boolean) {
  return {
    model: model || undefined,
    stream,
    ...(stream && { stream_options: { include_usage: true } }),
    ...(options && {
      max_tokens: options.maxTokens,
      min_tokens: options.minTokens,
      temperature: shortest(options.temperature),
      top_p: shortest(options.topP),
      top_k: options.topK,
      min_p: shortest(options.minP),
      repetition_penalty: shortest(options.repetitionPenalty),
      presence_penalty: shortest(options.presencePenalty),
      frequency_penalty: shortest(options.frequencyPenalty),
      logit_bias: options.logitBias,
      seed: options.seed,
      stop: options.stop,
      stop_token_ids: options.stopTokenIds,
      ignore_eos: options.ignoreEos,
      n: options.n,
      return_token_ids: options.returnTokenIds,
      session_id: options.sessionId || undefined,
      user: options.user || undefined,
      cache_salt: options.cacheSalt || undefined,
      priority: options.priority,
      timeout_ms: options.timeoutMs,
    }),
  };
}

/** A 32-bit float as the shortest decimal that means it: 0.7 rather than 0.699999988079071. */
function shortest(value: number | undefined): number | undefined {
  return value === undefined ? undefined : Number(value.toPrecision(7));
}
