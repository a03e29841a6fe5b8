import { Agent, request } from 'node:http';
import { credentials } from '@grpc/grpc-js';
import { createParser } from 'eventsource-parser';
import { callUnary } from '#lib/channels';
import { publicApi } from '#lib/contracts';
import type { AppProcess } from './app-process.js';

export interface Question {
  readonly model: string;
  readonly prompt: string;
  readonly maxTokens: number;
}

/** What came of a request: how many tokens, and when the first. Times are of `performance.now()`. */
export interface Answer {
  readonly tokens: number;
  readonly firstTokenMs: number | undefined;
  readonly isWhole: boolean;
}

/** One way of asking. Rejects with what the client would see: a refusal, an error event, a broken connection. */
export type Ask = (gateway: AppProcess, question: Question) => Promise<Answer>;

/** Connections are kept and used again, as clients do: nothing here repeats a request that failed on one. */
const agent = new Agent({ keepAlive: true });

interface CompletionBody {
  readonly error?: { readonly message: string };
  readonly choices?: readonly { readonly text: string; readonly finish_reason: string | null }[];
  readonly usage?: { readonly completion_tokens: number } | null;
}

export const overRest: Ask = async (gateway, question) => {
  const body = JSON.parse(await post(gateway, { ...question, stream: false }, () => {})) as CompletionBody;
  return {
    tokens: body.usage?.completion_tokens ?? 0,
    firstTokenMs: undefined,
    isWhole: body.choices?.[0]?.finish_reason === 'length',
  };
};

export const overRestStreamed: Ask = async (gateway, question) => {
  let firstTokenMs: number | undefined;
  let tokens = 0;
  let hasReason = false;
  let isDone = false;
  const parser = createParser({
    onEvent: ({ data }) => {
      if (data === '[DONE]') {
        isDone = true;
        return;
      }
      const event = JSON.parse(data) as CompletionBody;
      if (event.error !== undefined) throw new Error(`error event: ${event.error.message}`);
      firstTokenMs ??= performance.now();
      hasReason ||= event.choices?.[0]?.finish_reason === 'length';
      tokens = event.usage?.completion_tokens ?? tokens;
    },
  });
  await post(gateway, { ...question, stream: true }, (text) => parser.feed(text));
  return { tokens, firstTokenMs, isWhole: hasReason && isDone };
};

export const overGrpc: Ask = async (gateway, question) =>
  withClient(gateway, async (client) => {
    const answer = await callUnary(client.complete.bind(client), toGrpc(question), { timeoutMs: 120_000 });
    return { tokens: answer.usage?.completionTokens ?? 0, firstTokenMs: undefined, isWhole: true };
  });

export const overGrpcStreamed: Ask = async (gateway, question) =>
  withClient(gateway, async (client) => {
    let firstTokenMs: number | undefined;
    let tokens = 0;
    for await (const chunk of client.streamComplete(toGrpc(question)) as AsyncIterable<publicApi.CompletionChunk>) {
      firstTokenMs ??= performance.now();
      tokens = chunk.usage?.completionTokens ?? tokens;
    }
    return { tokens, firstTokenMs, isWhole: tokens > 0 };
  });

const clients = new Map<string, InstanceType<typeof publicApi.InferenceClient>>();

/** A channel for each address, kept like connections are: it learns by itself that its server goes and comes. */
function withClient<T>(
  gateway: AppProcess,
  use: (client: InstanceType<typeof publicApi.InferenceClient>) => Promise<T>,
): Promise<T> {
  const target = gateway.grpcTarget;
  let client = clients.get(target);
  if (client === undefined) {
    client = new publicApi.InferenceClient(target, credentials.createInsecure(), { 'grpc.enable_retries': 0 });
    clients.set(target, client);
  }
  return use(client);
}

export function closeConnections(): void {
  agent.destroy();
  for (const client of clients.values()) client.close();
  clients.clear();
}

function toGrpc({ model, prompt, maxTokens }: Question) {
  return publicApi.CompletionRequest.fromPartial({
    model,
    prompts: [{ value: { $case: 'text', value: prompt } }],
    options: { maxTokens, ignoreEos: true, temperature: 0 },
  });
}

function post(
  gateway: AppProcess,
  { model, prompt, maxTokens, stream }: Question & { readonly stream: boolean },
  onText: (text: string) => void,
): Promise<string> {
  const body = JSON.stringify({
    ...{ model, prompt, max_tokens: maxTokens, ignore_eos: true, temperature: 0, stream },
    ...(stream ? { stream_options: { include_usage: true } } : {}),
  });
  return new Promise((resolve, reject) => {
    const asked = request(`${gateway.url}/v1/completions`, { method: 'POST', agent, headers: HEADERS }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
        try {
          if (response.statusCode === 200) onText(chunk);
        } catch (error) {
          reject(error);
        }
      });
      response.on('error', reject);
      response.on('end', () => {
        if (response.statusCode === 200) resolve(text);
        else reject(new Error(`${response.statusCode}: ${text.slice(0, 300)}`));
      });
    });
    asked.on('error', reject);
    asked.end(body);
  });
}

const HEADERS = { 'content-type': 'application/json' };
