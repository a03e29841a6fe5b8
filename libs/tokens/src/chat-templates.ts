import type { ChatMessage } from './chat-messages.js';
import { ChatTemplate, type ChatTemplateOptions, type ChatTemplateSettings } from './chat-template.js';
import { readSpecialTokens } from './special-tokens.js';
import { isJsonObject, readJsonObject, readText, type TextFiles } from './text-files.js';

/** The names of templates that are chosen by themselves; others are there for those who ask for them by name. */
interface Sources {
  readonly plain: string | undefined;
  /** For chats with tools. */
  readonly toolUse: string | undefined;
}

/** The chat templates of a model: one for all chats, and where there is one, another for chats with tools. */
export class ChatTemplates {
  private constructor(
    private readonly plain: ChatTemplate,
    private readonly toolUse: ChatTemplate | undefined,
  ) {}

  /**
   * Finds them where transformers does: in files of their own (`chat_template.jinja`, `additional_chat_templates/`), else in tokenizer_config.json.
   * @returns `undefined` when the model has none
   */
  static fromFiles(files: TextFiles, settings?: ChatTemplateSettings): ChatTemplates | undefined {
    const { plain, toolUse } = sourcesInFiles(files) ?? configuredSources(files);
    const source = plain ?? toolUse; // without one for all chats, the one for tools is what there is
    if (source === undefined) return undefined;
    const specialTokens = readSpecialTokens(files);
    const template = (text: string) => new ChatTemplate(text, specialTokens, settings);
    return new ChatTemplates(template(source), toolUse === undefined ? undefined : template(toolUse));
  }

  /** @throws ChatTemplateError with who is at fault, see ChatTemplateFault */
  render(messages: readonly ChatMessage[], options: ChatTemplateOptions = {}): string {
    const hasTools = options.tools !== undefined && options.tools.length > 0;
    return ((hasTools ? this.toolUse : undefined) ?? this.plain).render(messages, options);
  }

  /** @throws ChatTemplateError `template` when one of them does not parse */
  compile(): void {
    this.plain.compile();
    this.toolUse?.compile();
  }
}

/** As soon as one has a file, those in the configuration do not count. */
function sourcesInFiles(files: TextFiles): Sources | undefined {
  const plain = readText(files, 'additional_chat_templates/default.jinja') ?? readText(files, 'chat_template.jinja');
  const toolUse = readText(files, 'additional_chat_templates/tool_use.jinja');
  return plain === undefined && toolUse === undefined ? undefined : { plain, toolUse };
}

/** `chat_template` is a text, or a list of named ones. */
function configuredSources(files: TextFiles): Sources {
  const configured = readJsonObject(files, 'tokenizer_config.json')?.['chat_template'];
  if (typeof configured === 'string') return { plain: configured, toolUse: undefined };
  const named = (Array.isArray(configured) ? configured : []).filter(isJsonObject);
  const textOf = (entry: { readonly [key: string]: unknown } | undefined) =>
    typeof entry?.['template'] === 'string' ? entry['template'] : undefined;
  const byName = (name: string) => textOf(named.find((entry) => entry['name'] === name));
  return { plain: byName('default') ?? textOf(named[0]), toolUse: byName('tool_use') };
}
