import { type ChatMessage, toTemplateMessages } from './chat-messages.js';
import { ChatTemplateError, type ChatTemplateFault } from './chat-template-error.js';
import type { RenderLimits } from './jinja/bounds.js';
import { TEMPLATE_GLOBALS } from './jinja/globals.js';
import { renderWithin } from './jinja/render.js';
import { type Node, parseTemplate } from './jinja/syntax.js';
import type { SpecialTokens } from './special-tokens.js';
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
  private program: Node | undefined;

  constructor(
    readonly source: string,
    private readonly specialTokens: SpecialTokens = {},
    settings: ChatTemplateSettings = {},
  ) {
    this.limits = { maxCharacters: settings.maxCharacters ?? DEFAULT_MAX_CHARACTERS, maxMs: settings.maxMs ?? 2_000 };
    this.now = settings.now ?? (() => new Date());
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
    const render = (given: readonly Record<string, unknown>[]) =>
      this.renderOnce({
        ...this.specialTokens,
        ...templateArguments,
        messages: this.withKnownRoles(given),
        // Templates ask `tools is not none`: absent is none, not undefined.
        tools: options.tools === undefined || options.tools.length === 0 ? null : options.tools,
        documents: null,
        add_generation_prompt: options.addGenerationPrompt ?? true,
      });
    try {
      return render(toTemplateMessages(messages));
    } catch (error) {
      if (!(error instanceof ChatTemplateError && error.fault === 'failed' && messages.some(hasToolCalls))) throw error;
      // Some templates join the arguments of tool calls to a text, and want them as the client sent them.
      try {
        return render(toTemplateMessages(messages, (json) => json));
      } catch {
        throw error;
      }
    }
  }

  /** @throws ChatTemplateError `template` when it does not parse */
  compile(): Node {
    try {
      this.program ??= parseTemplate(this.source);
      return this.program;
    } catch (error) {
      throw failure('template', 'The chat template does not parse', error);
    }
  }

  private renderOnce(variables: Readonly<Record<string, unknown>>): string {
    const program = this.compile();
    try {
      return renderWithin(program, variables, this.limits, this.now);
    } catch (error) {
      if (error instanceof ChatTemplateError) throw error;
      // The stack or a string is at its end: data nested too deep, or text too long, as the request had it.
      if (error instanceof RangeError) {
        throw new ChatTemplateError('too-large', `The chat is too large or nested too deep: ${error.message}.`, {
          cause: error,
        });
      }
      throw failure('failed', "The model's chat template failed", error);
    }
  }

  /** `developer` is the newer name of `system`; most templates know only the older. */
  private withKnownRoles(messages: readonly Record<string, unknown>[]): readonly Record<string, unknown>[] {
    if (this.source.includes('developer')) return messages;
    return messages.map((message) => (message['role'] === 'developer' ? { ...message, role: 'system' } : message));
  }
}

function failure(fault: ChatTemplateFault, what: string, cause: unknown): ChatTemplateError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new ChatTemplateError(fault, `${what}: ${reason}`, { cause });
}

function hasToolCalls(message: ChatMessage): boolean {
  return Array.isArray(message['tool_calls']);
}
