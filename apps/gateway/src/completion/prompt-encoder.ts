import { Injectable } from '@nestjs/common';
import { ApiError, type CompletionCall, type PromptInput, templateMessages } from '#lib/openai';
import {
  ChatTemplateError,
  NoChatTemplateError,
  SequenceText,
  type TextModel,
  TextTooLongError,
  TooManyTokensError,
} from '#lib/tokens';

/** Turns what the client wrote into token ids: chat template and tokenizer of the model. */
@Injectable()
export class PromptEncoder {
  /**
   * Prompts are encoded one after another: the first that fails ends the work, and a request has one thread at a time.
   * @param contextTokens  of the model; what is far longer is refused before it is encoded as a whole
   * @returns token ids of each prompt; chat has one
   * @throws ApiError that names the prompt or `messages`; the signal's reason
   */
  async encode(
    call: CompletionCall,
    text: TextModel,
    contextTokens: number,
    signal: AbortSignal,
  ): Promise<(readonly number[])[]> {
    const { input } = call;
    const options = { maxTokens: contextTokens, signal };
    if (input.kind === 'messages') {
      return [await idsOf(text.promptFromChat(templateMessages(input.messages), options), 'messages')];
    }
    const prompts: (readonly number[])[] = [];
    for (const prompt of input.prompts) {
      prompts.push(await encodePrompt(prompt, text, options));
      signal.throwIfAborted();
    }
    return prompts;
  }

  /** A prompt as `echo` delivers it: as the client wrote it; token ids as the model would write them. */
  echo({ input }: CompletionCall, promptIndex: number, { table }: TextModel): string {
    const prompt = input.kind === 'prompts' ? input.prompts[promptIndex] : undefined;
    if (prompt === undefined) return '';
    if (prompt.kind === 'text') return prompt.text;
    const text = new SequenceText(table);
    return text.push(prompt.tokenIds).text + text.finish().text;
  }
}

function encodePrompt(
  prompt: PromptInput,
  text: TextModel,
  options: { readonly maxTokens: number; readonly signal: AbortSignal },
): Promise<readonly number[]> | readonly number[] {
  if (prompt.kind === 'token-ids') return prompt.tokenIds;
  return idsOf(text.promptFromText(prompt.text, options), prompt.param);
}

async function idsOf(encoding: Promise<readonly number[]>, param: string): Promise<readonly number[]> {
  try {
    return await encoding;
  } catch (error) {
    throw toApiError(error, param);
  }
}

function toApiError(error: unknown, param: string): unknown {
  if (error instanceof TooManyTokensError) {
    const message = `This model's maximum context length is ${error.maxTokens} tokens. However, the text of your ${param} is far longer. Please shorten it.`;
    return new ApiError('context_length_exceeded', message, { param, cause: error });
  }
  if (error instanceof TextTooLongError) return new ApiError('context_length_exceeded', error.message, { param });
  if (error instanceof NoChatTemplateError) return new ApiError('invalid_value', error.message, { param });
  if (error instanceof ChatTemplateError && error.fault !== 'template') {
    return new ApiError('invalid_value', `Invalid '${param}': ${error.message}`, { param });
  }
  return error;
}
