import { createInterface, type Interface } from 'node:readline';
import type { Command } from 'commander';
import { gatewayUrl } from '../client/gateway-url.js';
import { streamCompletion, textOf } from '../client/openai-stream.js';
import { servedModel } from '../client/served-model.js';
import { temperature, wholeNumber } from '../terminal/number-options.js';
import { untilInterrupted } from '../terminal/shutdown.js';

interface ChatOptions {
  readonly url?: string;
  readonly model?: string;
  readonly system?: string;
  readonly maxTokens?: number;
  readonly temperature: number;
}

interface Message {
  readonly role: 'system' | 'user' | 'assistant';
  readonly content: string;
}

/** Small models lose the thread at 1, and say the same for ever at 0. */
const TEMPERATURE = 0.2;

export function addChat(program: Command): void {
  program
    .command('chat')
    .description('talk to a model of the running platform; the answer streams into the terminal')
    .argument('[question...]', 'one question; without it a conversation begins (end it with Ctrl-D)')
    .option('--url <url>', 'gateway; default: the platform that runs on this machine')
    .option('--model <model>', 'model or alias; default: the first that is served')
    .option('--system <text>', 'system message')
    .option('--max-tokens <n>', 'most tokens of an answer', wholeNumber)
    .option('--temperature <t>', '0 is greedy', temperature, TEMPERATURE)
    .addHelpText(
      'after',
      `
Examples:
  hydra chat "What is the capital of France?"
  hydra chat --system "Answer in one sentence."       a conversation; Ctrl-C ends an answer, Ctrl-D the conversation
  hydra chat < questions.txt                          one question per line, answered in turn`,
    )
    .action((question: string[], options: ChatOptions) => chat(question.join(' '), options));
}

async function chat(question: string, options: ChatOptions): Promise<void> {
  if (question === '') return converse(options);
  const signal = untilInterrupted();
  const conversation = await Conversation.begin(options, signal);
  await conversation.ask(question, signal);
}

/** Line by line from the terminal, or from a file or pipe. */
async function converse(options: ChatOptions): Promise<void> {
  const isTerminal = process.stdin.isTTY === true;
  const conversation = await Conversation.begin(options);
  const lines = createInterface({ input: process.stdin, ...(isTerminal ? { output: process.stdout } : {}) });
  let answering: AbortController | undefined;
  lines.on('SIGINT', () => {
    if (answering === undefined) lines.close();
    else answering.abort();
  });
  prompt(lines, isTerminal);
  for await (const line of lines) {
    if (line.trim() !== '') {
      answering = new AbortController();
      await conversation.ask(line, answering.signal).catch((error: Error) => {
        // A person asks again; in a script the failure counts.
        if (answering?.signal.aborted) process.stdout.write('\n');
        else if (isTerminal) process.stderr.write(`hydra: ${error.message}\n`);
        else throw error;
      });
      answering = undefined;
    }
    prompt(lines, isTerminal);
  }
}

function prompt(lines: Interface, isTerminal: boolean): void {
  if (!isTerminal) return;
  lines.setPrompt('> ');
  lines.prompt();
}

/** What was said so far, and to whom. */
class Conversation {
  private readonly messages: Message[];

  private constructor(
    private readonly url: string,
    private readonly model: string,
    private readonly options: ChatOptions,
  ) {
    this.messages = options.system === undefined ? [] : [{ role: 'system', content: options.system }];
  }

  static async begin(options: ChatOptions, signal?: AbortSignal): Promise<Conversation> {
    const url = gatewayUrl(options.url);
    return new Conversation(url, await servedModel(url, options.model, signal), options);
  }

  /** Writes the answer as it comes. A question without a whole answer is forgotten. */
  async ask(content: string, signal: AbortSignal): Promise<void> {
    const question: Message = { role: 'user', content };
    const { maxTokens, temperature } = this.options;
    const body = { model: this.model, messages: [...this.messages, question], max_tokens: maxTokens, temperature };
    let answer = '';
    for await (const chunk of streamCompletion(`${this.url}/v1/chat/completions`, body, signal)) {
      const text = textOf(chunk);
      answer += text;
      process.stdout.write(text);
    }
    process.stdout.write('\n');
    this.messages.push(question, { role: 'assistant', content: answer });
  }
}
