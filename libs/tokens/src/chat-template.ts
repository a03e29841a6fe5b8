import { type RenderLimits, renderWithin, TEMPLATE_GLOBALS } from './bounded-interpreter.js';
import { type ChatMessage, toTemplateMessages } from './chat-messages.js';
import { ChatTemplateError } from './chat-template-error.js';
import { type JinjaProgram, parseTemplate } from './jinja-runtime.js';
import { readSpecialTokens, type SpecialTokens } from './special-tokens.js';
import { isJsonObject, readJsonObject, readText, type TextFiles } from './text-files.js';
import { DEFAULT_MAX_CHARACTERS } from './tokenizer.js';

export interface ChatTemplateOptions {
  /** Whether the prompt ends with the head of the assistant's answer. Default true. */
  readonly addGenerationPrompt?: boolean;
  /** Tools as the public API has them: `{type: 'function', function: {…}}`. */
  readonly tools?: readonly unknown[];
  /** Further variables of the template (vLLM's `chat_template_kwargs`), such as `enable_thinking`. */
  readonly templateArguments?: Readonly<Record<string, unknown>>;
}

export interface ChatTemplateSettings extends Partial<RenderLimits> {
  /** The clock of templates that print the date. */
  readonly now?: () => Date;
}

/** Variables that are ours; a request cannot set them past us. */
const RESERVED = new Set([...TEMPLATE_GLOBALS, 'messages', 'tools', 'documents', 'add_generation_prompt']);

/** A model's chat template: messages to the text of a prompt. Parsed at first use, then kept. */
export class ChatTemplate {
  private readonly limits: RenderLimits;
  private readonly now: () => Date;
  private program: JinjaProgram | undefined;

  constructor(
    readonly source: string,
    private readonly specialTokens: SpecialTokens = {},
    settings: ChatTemplateSettings = {},
  ) {
    this.limits = { maxCharacters: settings.maxCharacters ?? DEFAULT_MAX_CHARACTERS, maxMs: settings.maxMs ?? 2_000 };
    this.now = settings.now ?? (() => new Date());
  }

  /**
   * Finds it in chat_template.jinja, else in tokenizer_config.json.
   * @returns `undefined` when the model has none
   */
  static fromFiles(files: TextFiles, settings?: ChatTemplateSettings): ChatTemplate | undefined {
    const source = readText(files, 'chat_template.jinja') ?? configuredTemplate(files);
    return source === undefined ? undefined : new ChatTemplate(source, readSpecialTokens(files), settings);
  }

  /** @throws ChatTemplateError with who is at fault, see ChatTemplateFault */
  render(messages: readonly ChatMessage[], options: ChatTemplateOptions = {}): string {
    const templateArguments = options.templateArguments ?? {};
    const taken = Object.keys(templateArguments).find(
      (name) => RESERVED.has(name) || Object.hasOwn(this.specialTokens, name),
    );
    if (taken !== undefined) {
      throw new ChatTemplateError('arguments', `The template argument ${taken} has a reserved name.`);
    }
    const variables = {
      ...this.specialTokens,
      ...templateArguments,
      messages: this.withKnownRoles(toTemplateMessages(messages)),
      // Templates ask `tools is not none`: absent is none, not undefined.
      tools: options.tools === undefined || options.tools.length === 0 ? null : options.tools,
      documents: null,
      add_generation_prompt: options.addGenerationPrompt ?? true,
    };
    try {
      this.program ??= parseTemplate(this.source);
      return renderWithin(this.program, variables, this.limits, this.now);
    } catch (error) {
      if (error instanceof ChatTemplateError) throw error;
      // The stack or a string is at its end: data nested too deep, or text too long, as the request had it.
      if (error instanceof RangeError) {
        throw new ChatTemplateError('too-large', `The chat is too large or nested too deep: ${error.message}.`, {
          cause: error,
        });
      }
      const reason = error instanceof Error ? error.message : String(error);
      throw new ChatTemplateError('template', `The model's chat template failed: ${reason}`, { cause: error });
    }
  }

  /** `developer` is the newer name of `system`; most templates know only the older. */
  private withKnownRoles(messages: Record<string, unknown>[]): Record<string, unknown>[] {
    if (this.source.includes('developer')) return messages;
    return messages.map((message) => (message['role'] === 'developer' ? { ...message, role: 'system' } : message));
  }
}

/** `chat_template` is a text, or a list of named ones of which `default` is for chats. */
function configuredTemplate(files: TextFiles): string | undefined {
  const configured = readJsonObject(files, 'tokenizer_config.json')?.['chat_template'];
  if (typeof configured === 'string') return configured;
  if (!Array.isArray(configured)) return undefined;
  const named = configured.filter(isJsonObject);
  const chosen = named.find((entry) => entry['name'] === 'default') ?? named[0];
  return typeof chosen?.['template'] === 'string' ? chosen['template'] : undefined;
}
