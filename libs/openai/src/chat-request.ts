import { z } from 'zod';
import type { ChatMessage, CompletionCall, RequestLimits } from './call.js';
import { assertChoices, toCallParameters, unknownFields } from './call-parameters.js';
import { activeParameters, unservedFeatures } from './features.js';
import { flag, integer, MAX_TOP_LOGPROBS, sharedFields, unsupported } from './request-fields.js';
import { invalidValue, missingParameter, unsupportedParameter } from './validation-error.js';
import { compileValidator } from './validator.js';

/** Chosen: longer conversations than any context holds; bounds the time a template takes. */
const MAX_MESSAGES = 16_384;

const contentPart = z
  .looseObject({
    type: z.string().meta({ description: '`text`; `input_text` is taken as the same.', examples: ['text'] }),
    text: z.string().nullish().meta({ description: 'The text.' }),
  })
  .meta({ description: 'A part of a message. Images, audio and files are not supported yet.' });

const message = z
  .looseObject({
    role: z.enum(['system', 'developer', 'user', 'assistant', 'tool']).meta({
      description: '`developer` is taken as `system` where the chat template does not know it.',
    }),
    content: z
      .union([z.string(), z.array(contentPart).min(1)])
      .nullish()
      .meta({
        description: 'Text, or parts that are joined in order, with line feeds.',
        examples: ['What is the capital of France?'],
      }),
    name: z.string().max(256).nullish().meta({ description: "The author's name, for templates that use it." }),
    tool_call_id: z.string().max(256).nullish().meta({ description: 'Of a `tool` message: the call it answers.' }),
    tool_calls: unsupported('Only an empty array is accepted.'),
    function_call: unsupported('Leave it out.'),
    audio: unsupported('Leave it out.'),
  })
  .meta({ description: 'A message of the conversation.' });

/** Body of `POST /v1/chat/completions`. */
export const chatRequestSchema = z
  .looseObject({
    ...sharedFields,
    ...Object.fromEntries(unservedFeatures('chat').map(({ name, neutral }) => [name, unsupported(neutral)])),
    messages: z.array(message).min(1).max(MAX_MESSAGES).meta({ description: 'The conversation so far.' }),
    max_tokens: sharedFields.max_tokens.meta({ description: 'Former name of `max_completion_tokens`.' }),
    max_completion_tokens: sharedFields.max_tokens.meta({
      description: 'Most tokens to generate per choice. Default: what the context leaves.',
    }),
    logprobs: flag('Tell the log-probabilities of the tokens.'),
    top_logprobs: integer(
      0,
      MAX_TOP_LOGPROBS,
      'And of this many of the best at each position. Only with `logprobs`.',
      0,
    ),
  })
  .meta({ description: 'A chat request. Unknown fields are accepted and ignored.' });

export const chatValidator = compileValidator(chatRequestSchema);

/**
 * Validates the body of a chat request. `max_completion_tokens` wins over `max_tokens`, as in vLLM.
 * @throws ApiError that names the parameter
 */
export function parseChatRequest(body: unknown, limits: RequestLimits): CompletionCall {
  const request = chatValidator.validate(body);
  const active = activeParameters('chat', request);
  const messages = request.messages.map(toMessage);
  const parameters = toCallParameters(request, request.max_completion_tokens ?? request.max_tokens ?? undefined);
  assertChoices(1, parameters.choicesPerPrompt, limits);
  return {
    kind: 'chat',
    input: { kind: 'messages', messages },
    ...parameters,
    logprobs: { ...parameters.logprobs, top: toTopLogprobs(request) },
    activeParameters: active,
    unknownFields: unknownFields(request, chatValidator.fields),
  };
}

function toTopLogprobs(request: z.infer<typeof chatRequestSchema>): number | undefined {
  const top = request.top_logprobs ?? 0;
  if (request.logprobs) return top;
  if (top > 0) throw invalidValue('top_logprobs', "it is only allowed when 'logprobs' is true");
  return undefined;
}

type MessageField = z.infer<typeof message>;

function toMessage(field: MessageField, index: number): ChatMessage {
  const param = `messages[${index}]`;
  if (isSet(field.tool_calls) && !(Array.isArray(field.tool_calls) && field.tool_calls.length === 0)) {
    throw unsupportedParameter(`${param}.tool_calls`, 'Only an empty array is accepted.');
  }
  if (isSet(field.function_call)) throw unsupportedParameter(`${param}.function_call`, 'Leave it out.');
  if (isSet(field.audio)) throw unsupportedParameter(`${param}.audio`, 'Leave it out.');
  const translated: { -readonly [Name in keyof ChatMessage]: ChatMessage[Name] } = {
    role: field.role,
    content: toContent(field.content, `${param}.content`),
  };
  if (field.name) translated.name = field.name.toWellFormed();
  if (field.tool_call_id) translated.toolCallId = field.tool_call_id.toWellFormed();
  return translated;
}

function toContent(content: MessageField['content'], param: string): string {
  if (content === undefined || content === null) throw missingParameter(param);
  if (typeof content === 'string') return content.toWellFormed();
  return content.map((part, index) => toText(part, `${param}[${index}]`)).join('\n');
}

function toText(part: z.infer<typeof contentPart>, param: string): string {
  switch (part.type) {
    case 'text':
    case 'input_text':
      if (part.text === undefined || part.text === null) throw missingParameter(`${param}.text`);
      return part.text.toWellFormed();
    case 'image_url':
    case 'input_image':
    case 'input_audio':
    case 'audio_url':
    case 'video_url':
    case 'file':
    case 'input_file':
    case 'refusal':
      throw unsupportedParameter(`${param}.type`, `Content of type '${part.type}' is not supported; use 'text'.`);
    default:
      throw invalidValue(`${param}.type`, `expected 'text'`);
  }
}

function isSet(value: unknown): boolean {
  return value !== undefined && value !== null;
}
