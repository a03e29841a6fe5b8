import type { ChatMessage } from './chat-messages.js';
import type { ChatTemplateOptions } from './chat-template.js';
import { NoChatTemplateError } from './chat-template-error.js';
import { ChatTemplates } from './chat-templates.js';
import { type GenerationDefaults, readGenerationDefaults } from './generation-defaults.js';
import type { TextFiles } from './text-files.js';
import { TokenTable } from './token-table.js';
import { type EncodeOptions, Tokenizer } from './tokenizer.js';

export interface TextModelOptions {
  /** Longest prompt, in UTF-16 code units, as text or as rendered chat. Default 1,000,000. */
  readonly maxPromptCharacters?: number;
  /** The clock of chat templates that print the date. */
  readonly now?: () => Date;
}

export interface ChatPromptOptions extends ChatTemplateOptions {
  /** Whether the tokenizer adds its own special tokens. Default false: a chat template writes all that it wants. */
  readonly addSpecialTokens?: boolean;
  /** As for `Tokenizer.encode`, like `signal`. */
  readonly maxTokens?: number;
  readonly signal?: AbortSignal;
}

/** Everything about a model that is text: made from its text files alone, needs no weights. */
export class TextModel {
  private tokenTable: TokenTable | undefined;

  private constructor(
    private readonly files: TextFiles,
    readonly tokenizer: Tokenizer,
    /** `undefined` for a base model. */
    readonly chatTemplates: ChatTemplates | undefined,
    readonly generationDefaults: GenerationDefaults,
  ) {}

  /** @throws TextFilesError when a file is missing or not usable */
  static load(files: TextFiles, options: TextModelOptions = {}): TextModel {
    const maxCharacters = options.maxPromptCharacters;
    const tokenizer = Tokenizer.fromFiles(files, { maxCharacters });
    const chatTemplates = ChatTemplates.fromFiles(files, { maxCharacters, now: options.now });
    return new TextModel(files, tokenizer, chatTemplates, readGenerationDefaults(files, tokenizer.eosTokenId));
  }

  /** From now on prompts are encoded on the thread that asks, where they can be: for those who encode with every request. */
  async encodeHere(): Promise<void> {
    await this.tokenizer.encodeHere();
  }

  /** Made at first use: only those who write text need it. */
  get table(): TokenTable {
    this.tokenTable ??= TokenTable.fromFiles(this.files);
    return this.tokenTable;
  }

  /**
   * @throws NoChatTemplateError for a base model
   * @throws ChatTemplateError when the messages do not fit the template
   * @throws TextTooLongError, TooManyTokensError when the prompt is over its bound
   */
  async promptFromChat(messages: readonly ChatMessage[], options: ChatPromptOptions = {}): Promise<readonly number[]> {
    if (this.chatTemplates === undefined) throw new NoChatTemplateError();
    const prompt = this.chatTemplates.render(messages, options);
    const { addSpecialTokens = false, maxTokens, signal } = options;
    return this.tokenizer.encode(prompt, { addSpecialTokens, maxTokens, signal });
  }

  /** @throws TextTooLongError, TooManyTokensError when the text is over its bound */
  promptFromText(text: string, options: EncodeOptions = {}): Promise<readonly number[]> {
    return this.tokenizer.encode(text, options);
  }
}
