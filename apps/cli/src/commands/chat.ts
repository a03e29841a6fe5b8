import { createInterface } from 'node:readline/promises';
import type { Command } from 'commander';
import { gatewayUrl } from '../client/gateway-url.js';
import { streamCompletion, textOf } from '../client/openai-stream.js';

interface ChatOptions {
  readonly url?: string;
  readonly model: string;
  readonly system?: string;
  readonly maxTokens?: number;
  readonly temperature?: number;
}

interface Message {
  readonly role: 'system' | 'user' | 'assistant';
  readonly content: string;
}

export function addChat(program: Command): void {
  program
    .command('chat')
    .description('talk to a model of the running platform; the answer streams into the terminal')
    .argument('[question...]', 'one question; without it a conversation begins (end it with Ctrl-D)')
    .option('--url <url>', 'gateway; default: the platform that runs on this machine')
    .option('--model <model>', 'model or alias', 'default')
    .option('--system <text>', 'system message')
    .option('--max-tokens <n>', 'most tokens of an answer', Number)
    .option('--temperature <t>', '0 is greedy', Number)
    .addHelpText(
      'after',
      '\nExamples:\n  hydra chat "What is the capital of France?"\n  hydra chat --system "Answer in one sentence."',
    )
    .action((question: string[], options: ChatOptions) => chat(question.join(' '), options));
}

async function chat(question: string, options: ChatOptions): Promise<void> {
  const url = `${gatewayUrl(options.url)}/v1/chat/completions`;
  const messages: Message[] = options.system ? [{ role: 'system', content: options.system }] : [];
  const ask = async (content: string, signal?: AbortSignal): Promise<void> => {
    messages.push({ role: 'user', content });
    messages.push({ role: 'assistant', content: await streamAnswer(url, messages, options, signal) });
  };
  if (question !== '') return ask(question);

  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  try {
    for (;;) {
      const line = await terminal.question('> ').catch(() => undefined); // Ctrl-C or Ctrl-D
      if (line === undefined) return;
      if (line.trim() !== '') await ask(line);
    }
  } finally {
    terminal.close();
  }
}

async function streamAnswer(
  url: string,
  messages: readonly Message[],
  options: ChatOptions,
  signal?: AbortSignal,
): Promise<string> {
  const { model, maxTokens, temperature } = options;
  let answer = '';
  for await (const chunk of streamCompletion(url, { model, messages, max_tokens: maxTokens, temperature }, signal)) {
    const text = textOf(chunk);
    answer += text;
    process.stdout.write(text);
  }
  process.stdout.write('\n');
  return answer;
}
