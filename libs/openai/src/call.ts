/**
 * A public request after validation: what REST and gRPC, completions and chat have in common. Absent is `undefined` and
 * means the model's default.
 */
export interface CompletionCall {
  readonly kind: CallKind;
  /** Model id or alias, as asked. */
  readonly model: string;
  readonly input: CallInput;
  readonly sampling: RequestedSampling;
  readonly stop: RequestedStop;
  /** Choices per prompt. */
  readonly choicesPerPrompt: number;
  readonly stream: boolean;
  /** Whether a stream ends with a usage chunk. */
  readonly includeUsage: boolean;
  readonly continuousUsage: boolean;
  readonly returnTokenIds: boolean;
  readonly logprobs: RequestedLogprobs;
  /** Whether the text of a choice begins with the prompt. */
  readonly echo: boolean;
  /** Keeps requests of one session on one worker. */
  readonly sessionId: string | undefined;
  /** End-user identity, for affinity and abuse tracking. */
  readonly user: string | undefined;
  /** Keeps its prefixes apart from those of other salts of the same tenant. */
  readonly cacheSalt: string | undefined;
  /** -10 to 10; larger is served earlier. */
  readonly priority: number;
  /** Most time from arrival to the last token, in milliseconds. */
  readonly timeoutMs: number | undefined;
  /** Public names of the parameters set to something other than their neutral value; see FEATURES. */
  readonly activeParameters: readonly string[];
  /** Names of fields we do not know, to be counted; at most 16, shortened. */
  readonly unknownFields: readonly string[];
}

export type CallKind = 'completion' | 'chat';

export type CallInput =
  | { readonly kind: 'prompts'; readonly prompts: readonly PromptInput[] }
  | { readonly kind: 'messages'; readonly messages: readonly ChatMessage[] };

/** One prompt. `param` is its place in the request, for errors: `prompt` or `prompt[3]`. */
export type PromptInput =
  | { readonly kind: 'text'; readonly text: string; readonly param: string }
  | { readonly kind: 'token-ids'; readonly tokenIds: readonly number[]; readonly param: string };

export type ChatRole = 'system' | 'developer' | 'user' | 'assistant' | 'tool';

/** One message, its content parts joined with line feeds (as vLLM does). */
export interface ChatMessage {
  readonly role: ChatRole;
  readonly content: string;
  readonly name?: string;
  /** Of a `tool` message. */
  readonly toolCallId?: string;
}

export interface RequestedSampling {
  readonly temperature: number | undefined;
  readonly topP: number | undefined;
  readonly topK: number | undefined;
  readonly minP: number | undefined;
  readonly repetitionPenalty: number | undefined;
  readonly presencePenalty: number | undefined;
  readonly frequencyPenalty: number | undefined;
  /** By token id. */
  readonly logitBias: Readonly<Record<number, number>>;
  /** 0 to 2^53 - 1. */
  readonly seed: number | undefined;
}

/** How many of the best candidates are told per token. Absent: no log-probabilities at all. */
export interface RequestedLogprobs {
  /** Of the text that is delivered. */
  readonly top: number | undefined;
  /** Of the prompt, beside the text (vLLM's `prompt_logprobs`). */
  readonly promptTop: number | undefined;
}

export interface RequestedStop {
  readonly maxTokens: number | undefined;
  readonly minTokens: number;
  readonly stopStrings: readonly string[];
  readonly stopTokenIds: readonly number[];
  readonly ignoreEos: boolean;
}

/** Limits the operator sets; the rest is fixed by the schemas. */
export interface RequestLimits {
  /** Most choices of one request: prompts × n. */
  readonly maxChoices: number;
}

/** A message in the spelling of chat templates. */
export type TemplateMessage = {
  readonly role: ChatRole;
  readonly content: string;
  readonly name?: string;
  readonly tool_call_id?: string;
};

/** Messages for the chat template. */
export function templateMessages(messages: readonly ChatMessage[]): TemplateMessage[] {
  return messages.map(({ toolCallId, ...message }) =>
    toolCallId === undefined ? message : { ...message, tool_call_id: toolCallId },
  );
}

/** The place of a prompt in the request, for errors: `prompt`, `prompt[3]`, `messages`. */
export function promptParam(call: CompletionCall, promptIndex: number): string {
  return call.input.kind === 'messages' ? 'messages' : (call.input.prompts[promptIndex]?.param ?? 'prompt');
}
