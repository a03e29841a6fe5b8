import { request as httpRequest, type IncomingMessage } from 'node:http';
import { register } from 'prom-client';
import { type HydraConfig, hydraSchema } from '#lib/config';
import { createLogger } from '#lib/observability';
import { type RunningGateway, startGateway } from '../gateway-app.js';
import { FakeScheduler } from './fake-scheduler.js';
import { FakeWorker } from './fake-worker.js';

export interface TestPlatform {
  readonly url: string;
  readonly grpcTarget: string;
  readonly httpPort: number;
  readonly gateway: RunningGateway;
  readonly scheduler: FakeScheduler;
  readonly workers: readonly FakeWorker[];
  readonly worker: FakeWorker;
  stop(): Promise<void>;
}

/** A real gateway on free ports before a fake scheduler and fake workers, ready to answer. */
export async function startTestPlatform(
  settings: {
    gateway?: object;
    scheduler?: object;
    /** Beside the platform's own. */
    otherSchedulers?: readonly FakeScheduler[];
    auth?: object;
    models?: object[];
    database?: object;
    limits?: object;
    /** Of the model's tokens. */
    price?: object;
    certificates?: object;
    workerCount?: number;
    expectReady?: boolean;
    /** What the model can do. Default `generate`. */
    task?: 'generate' | 'embed';
    /** Of the model. Default: one that writes roles as tokens. */
    chatTemplate?: string;
  } = {},
): Promise<TestPlatform> {
  const { workerCount = 1, expectReady = true, task = 'generate' } = settings;
  register.clear(); // one process, several gateways one after the other
  const workers = await Promise.all(
    Array.from({ length: workerCount }, (_, index) => {
      const worker = new FakeWorker(`worker-${index}`);
      if (task === 'embed') worker.tasks = [task];
      if (settings.chatTemplate !== undefined) {
        worker.textFiles = new Map(worker.textFiles).set('chat_template.jinja', Buffer.from(settings.chatTemplate));
      }
      return worker.listen();
    }),
  );
  const scheduler = await new FakeScheduler([...workers]).listen();
  const targets = [scheduler, ...(settings.otherSchedulers ?? [])].map(({ target }) => target);
  const config: HydraConfig = hydraSchema.parse({
    models: settings.models ?? [{ id: 'test-model', price: settings.price }, { id: 'sleeping-model' }],
    aliases: { default: 'default', 'org/Some-Model-7B': 'test-model' },
    gateway: { httpPort: 0, grpcPort: 0, ...settings.gateway },
    scheduler: { target: scheduler.target, targets, ...settings.scheduler },
    auth: settings.auth ?? {},
    database: settings.database ?? {},
    limits: settings.limits ?? {},
    certificates: settings.certificates ?? {},
    log: { level: 'silent' },
  });
  const gateway = await startGateway(config, createLogger('gateway', config.log));
  const url = `http://127.0.0.1:${gateway.httpPort}`;
  if (expectReady) await untilReady(url);
  let stopping: Promise<void> | undefined;
  return {
    url,
    grpcTarget: `127.0.0.1:${gateway.grpcPort}`,
    httpPort: gateway.httpPort,
    gateway,
    scheduler,
    workers,
    worker: workers[0] as FakeWorker,
    stop: () => {
      stopping ??= gateway.stop(200).then(() => {
        scheduler.kill();
        for (const worker of workers) worker.kill();
      });
      return stopping;
    },
  };
}

/** Readiness can only be asked for, as a probe does. */
async function untilReady(url: string): Promise<void> {
  for (;;) {
    const response = await fetch(`${url}/health/ready`);
    await response.arrayBuffer();
    if (response.ok) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

export async function post(url: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' || body instanceof Uint8Array ? (body as string) : JSON.stringify(body),
  });
}

/** A raw client that reads only when it is told to. */
export function openStream(
  url: string,
  body: unknown,
  headers: Record<string, string> = {},
): { response: Promise<IncomingMessage>; abort(): void } {
  const request = httpRequest(url, {
    method: 'POST',
    agent: false,
    headers: { 'content-type': 'application/json', ...headers },
  });
  const response = new Promise<IncomingMessage>((resolve, reject) => {
    request.once('response', resolve);
    request.once('error', reject);
  });
  response.catch(() => {}); // an aborted request is what some tests want
  request.end(JSON.stringify(body));
  return { response, abort: () => request.destroy() };
}

export async function textOf(body: AsyncIterable<Uint8Array> | null): Promise<string> {
  let text = '';
  for await (const chunk of body ?? []) text += Buffer.from(chunk);
  return text;
}

/** Payloads of the `data:` lines. */
export function dataOf(sse: string): string[] {
  return sse
    .split('\n')
    .filter((line) => line.startsWith('data: '))
    .map((line) => line.slice(6));
}
