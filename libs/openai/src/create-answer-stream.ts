import type { AnswerHead } from './answer.js';
import type { AnswerStream, AnswerStreamOptions } from './answer-stream.js';
import { ChatStream } from './chat-stream.js';
import { CompletionStream } from './completion-stream.js';

/** The stream of the route that `head` is for. */
export function createAnswerStream(head: AnswerHead, options: AnswerStreamOptions): AnswerStream {
  return head.kind === 'chat' ? new ChatStream(head, options) : new CompletionStream(head, options);
}
