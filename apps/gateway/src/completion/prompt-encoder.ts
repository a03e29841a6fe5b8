import { Injectable } from '@nestjs/common';
import { ApiError, type CompletionCall, type PromptInput } from '#lib/openai';
import { ChatTemplateError, NoChatTemplateError, SequenceText, type TextModel, TextTooLongError } from '#lib/tokens';

/** Turns what the client wrote into token ids: chat template and tokenizer of the model. */
@Injectable()
export class PromptEncoder {
  /** @returns token ids of each prompt; chat has one */
  async encode(call: CompletionCall, text: TextModel): Promise<number[][]> {
    const { input } = call;
    try {
      if (input.kind === 'messages') {
        const messages = input.messages.map(({ toolCallId, ...message }) => ({
          ...message,
          ...(toolCallId === undefined ? {} : { tool_call_id: toolCallId }),
        }));
        return [Array.from(await text.promptFromChat(messages))];
      }
      return await Promise.all(input.prompts.map((prompt) => encodePrompt(prompt, text)));
    } catch (error) {
      throw toApiError(error, input.kind === 'messages' ? 'messages' : 'prompt');
    }
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
  return prompt.kind === 'token-ids' ? [...prompt.tokenIds] : Array.from(await text.promptFromText(prompt.text));
}

function toApiError(error: unknown, param: string): unknown {
  if (error instanceof TextTooLongError) return new ApiError('context_length_exceeded', error.message, { param });
  if (error instanceof NoChatTemplateError) return new ApiError('invalid_value', error.message, { param });
  if (error instanceof ChatTemplateError && error.fault !== 'template') {
    return new ApiError('invalid_value', `Invalid '${param}': ${error.message}`, { param });
  }
  return error;
}
