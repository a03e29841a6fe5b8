/**
 * - `messages`: the messages cannot be written as a chat: none, or content that is not text
 * - `raised`: the template refused them (`raise_exception`); the message is the template's
 * - `arguments`: an argument has a name the template language keeps
 * - `too-large`: the prompt or the work for it is over its bound
 * - `failed`: the template, with this chat, does what Python would raise at; other chats may go well
 * - `template`: the template itself is at fault: it does not parse, or counts without end
 */
export type ChatTemplateFault = 'messages' | 'raised' | 'arguments' | 'too-large' | 'failed' | 'template';

/** A chat could not be turned into a prompt. All faults but `template` are the request's. */
export class ChatTemplateError extends Error {
  override readonly name = 'ChatTemplateError';

  constructor(
    readonly fault: ChatTemplateFault,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** The model has no chat template, as base models have none: it completes text, it does not chat. */
export class NoChatTemplateError extends Error {
  override readonly name = 'NoChatTemplateError';

  constructor() {
    super('The model has no chat template; use the completions endpoint, or a model made for chat.');
  }
}
