import { Injectable } from '@nestjs/common';
import { ApiError, type CompletionCall, type PromptInput, templateMessages } from '#lib/openai';
import { ChatTemplateError, NoChatTemplateError, SequenceText, type TextModel, TextTooLongError } from '#lib/tokens';

/** Turns what the client wrote into token ids: chat template and tokenizer of the model. */
@Injectable()
export class PromptEncoder {
  /**
   * @returns token ids of each prompt; chat has one
   * @throws ApiError that names the prompt or `messages`
   */
  async encode(call: CompletionCall, text: TextModel): Promise<number[][]> {
    const { input } = call;
    if (input.kind === 'messages') {
      return [await idsOf(text.promptFromChat(templateMessages(input.messages)), 'messages')];
    }
    return Promise.all(input.prompts.map((prompt) => encodePrompt(prompt, text)));
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

async function encodePrompt(prompt: PromptInput, text: TextModel): Promise<number[]> {
  return prompt.kind === 'token-ids' ? [...prompt.tokenIds] : idsOf(text.promptFromText(prompt.text), prompt.param);
}

async function idsOf(encoding: Promise<Uint32Array>, param: string): Promise<number[]> {
  try {
    return Array.from(await encoding);
  } catch (error) {
    throw toApiError(error, param);
  }
}

function toApiError(error: unknown, param: string): unknown {
  if (error instanceof TextTooLongError) return new ApiError('context_length_exceeded', error.message, { param });
  if (error instanceof NoChatTemplateError) return new ApiError('invalid_value', error.message, { param });
  if (error instanceof ChatTemplateError && error.fault !== 'template') {
    return new ApiError('invalid_value', `Invalid '${param}': ${error.message}`, { param });
  }
  return error;
}
