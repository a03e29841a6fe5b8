import { ChatTemplateError } from './chat-template-error.js';
import { isJsonObject } from './text-files.js';

/** One message as the public API has it; further fields (`name`, `tool_calls`, `tool_call_id`, …) reach the template. */
export interface ChatMessage {
  readonly role: string;
  /** Text, or parts of which all are text. */
  readonly content?: string | null | readonly unknown[];
  readonly [field: string]: unknown;
}

/**
 * Brings messages to the one form every template knows: content is a string (parts are joined with line feeds), null
 * only beside tool calls; arguments of tool calls are as the reader makes them of the client's JSON.
 * @throws ChatTemplateError `messages` when there are none, or a part is not text
 */
export function toTemplateMessages(
  messages: readonly ChatMessage[],
  readArguments: (json: string) => unknown = parsedArguments,
): Record<string, unknown>[] {
  // Templates in Python fail on messages[0] of none; here it would be silently undefined.
  if (messages.length === 0)
    throw new ChatTemplateError('messages', 'There are no messages; a chat needs at least one.');
  return messages.map((message, index) => {
    const toolCalls = Array.isArray(message['tool_calls'])
      ? message['tool_calls'].map((call) => withArguments(call, readArguments))
      : undefined;
    const content = contentText(message.content, index) ?? (toolCalls === undefined ? '' : null);
    return { ...message, content, ...(toolCalls === undefined ? {} : { tool_calls: toolCalls }) };
  });
}

function contentText(content: ChatMessage['content'], index: number): string | undefined {
  if (content === undefined || content === null) return undefined;
  if (typeof content === 'string') return content.toWellFormed();
  const texts = content.map((part, partIndex) => {
    if (typeof part === 'string') return part;
    if (isJsonObject(part) && typeof part['text'] === 'string') return part['text'];
    const type = isJsonObject(part) ? String(part['type']) : typeof part;
    const place = `messages[${index}].content[${partIndex}]`;
    throw new ChatTemplateError('messages', `${place} is of type ${type}; the model takes text only.`);
  });
  return texts.join('\n').toWellFormed();
}

function withArguments(call: unknown, read: (json: string) => unknown): unknown {
  if (!isJsonObject(call) || !isJsonObject(call['function'])) return call;
  const given = call['function']['arguments'];
  if (typeof given !== 'string') return call;
  return { ...call, function: { ...call['function'], arguments: read(given) } };
}

/** What most templates expect; a model may have written them badly, then the template prints them as they are. */
function parsedArguments(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return json;
  }
}
