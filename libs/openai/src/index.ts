/**
 * The public API without a server: its types, validation, translation to `GenerationRequest` and back, the form of its
 * streams, its errors. REST and gRPC meet in `CompletionCall`.
 *
 * The road of a request: `parseJsonBody` → `parseCompletionRequest` | `parseChatRequest` (gRPC: `fromGrpc…`) → tokenize →
 * `toGenerationRequests` → frames → `PromptAnswer` → `createAnswerStream` | `AnswerCollector` + `toAnswerBody`.
 */
export {
  type AnswerDelta,
  type AnswerHead,
  type AnswerUsage,
  answerHead,
  type FinishWord,
  sumUsage,
} from './answer.js';
export {
  AnswerCollector,
  type ChatCompletionBody,
  type CompletionBody,
  toAnswerBody,
  type WholeAnswer,
  type WholeChoice,
} from './answer-body.js';
export type { AnswerStream, AnswerStreamOptions } from './answer-stream.js';
export {
  type CallInput,
  type CallKind,
  type ChatMessage,
  type ChatRole,
  type CompletionCall,
  type PromptInput,
  type RequestedLogprobs,
  type RequestedSampling,
  type RequestedStop,
  type RequestLimits,
  type TemplateMessage,
  templateMessages,
} from './call.js';
export { parseChatRequest } from './chat-request.js';
export { parseCompletionRequest } from './completion-request.js';
export { createAnswerStream } from './create-answer-stream.js';
export { embeddingListBody } from './embedding-answer.js';
export { type EmbeddingCall, parseEmbeddingRequest } from './embedding-request.js';
export { errorPage, renderErrorTable } from './error-page.js';
export {
  API_ERRORS,
  ApiError,
  type ApiErrorOptions,
  type ErrorBody,
  type ErrorCondition,
  type ErrorCount,
  type ErrorDefinition,
  type ErrorType,
  GRPC_STATUS,
  internalError,
  modelNotFound,
  toErrorBody,
  toGrpcErrorMetadata,
} from './errors.js';
export { fromRefusal, fromWorkerFailure, type WorkerFailure } from './failures.js';
export { assertModelSupports, FEATURES, type Feature } from './features.js';
export {
  GrpcChatStream,
  GrpcCompletionStream,
  toGrpcChatResponse,
  toGrpcCompletionResponse,
} from './grpc-answer.js';
export { fromGrpcChat, fromGrpcCompletion } from './grpc-request.js';
export { parseJsonBody } from './json-guard.js';
export type { Candidate, PositionCandidates } from './logprobs.js';
export { type ListedModel, type ModelCapability, modelBody, modelListBody, toGrpcModel } from './models-list.js';
export { openApiSchemas } from './openapi.js';
export { type AnsweredPrompt, PromptAnswer } from './prompt-answer.js';
export { assertCaps } from './request-caps.js';
export { SSE_DONE, SSE_KEEP_ALIVE, sseError } from './sse.js';
export {
  type GenerationContext,
  type ModelFacts,
  type SamplingDefaults,
  toGenerationRequests,
} from './to-generation.js';
export { missingParameter } from './validation-error.js';
