import { type ChildProcess, fork } from 'node:child_process';
import { createWriteStream, existsSync, type WriteStream } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { isListeningMessage, type ListeningMessage } from '#lib/observability';
import { eventually } from '../../support/eventually.js';
import type { ServiceName } from './service-name.js';

export type AppKind = 'gateway' | 'scheduler' | 'inference' | 'kvcache';

export interface AppOptions {
  /** Name in the report and of its log file. */
  readonly name: string;
  readonly app: AppKind;
  /** Asked for at every start. */
  readonly env: () => Readonly<Record<string, string | undefined>>;
  /** Variables of its gRPC and HTTP ports: a free one at first, the same again after a restart. */
  readonly portVariables: readonly [grpc: string, http: string];
  /** Folder of log files. */
  readonly logs: string;
  /** By which the others know it, instead of by a port that stays. */
  readonly service?: ServiceName | undefined;
}

/** How long two processes stand behind one name: as long as controllers take to end the old one. Chosen. */
const OVERLAP_MS = 500;

/**
 * One app of the platform in a process of its own, from the build. Ends with SIGTERM and has its ports again when it is started anew; behind a
 * name, a successor may start before it ends.
 */
export class AppProcess {
  readonly name: string;
  private child: ChildProcess | undefined;
  private ports: ListeningMessage | undefined;
  private exited: Promise<number | null> = Promise.resolve(null);
  private readonly log: WriteStream;

  constructor(private readonly options: AppOptions) {
    this.name = options.name;
    this.log = createWriteStream(`${options.logs}/${options.name}.log`, { flags: 'a' });
  }

  get grpcTarget(): string {
    return this.options.service?.target ?? `127.0.0.1:${this.ports?.grpcPort}`;
  }

  get url(): string {
    return `http://127.0.0.1:${this.ports?.httpPort}`;
  }

  get pid(): number | undefined {
    return this.child?.pid;
  }

  /** Gives it a gRPC port before its first start. */
  at(grpcPort: number): this {
    this.ports = { kind: 'listening', grpcPort, httpPort: 0 };
    return this;
  }

  /** Resolves when it listens; rejects when it ended before. */
  async start(): Promise<void> {
    const { app, env, portVariables, service } = this.options;
    const lastPorts = service === undefined ? this.ports : undefined;
    const main = fileURLToPath(new URL(`../../../dist/apps/${app}/src/main.js`, import.meta.url));
    if (!existsSync(main)) throw new Error('no build: run `make build` first');
    const [grpc, http] = portVariables;
    const child = fork(main, [], {
      env: {
        PATH: process.env['PATH'],
        HOME: process.env['HOME'],
        TMPDIR: process.env['TMPDIR'],
        ...env(),
        [grpc]: String(lastPorts?.grpcPort ?? 0),
        [http]: String(lastPorts?.httpPort ?? 0),
      },
      execArgv: [], // not the test runner's, which resolve sources
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    this.child = child;
    child.stdout?.pipe(this.log, { end: false });
    child.stderr?.pipe(this.log, { end: false });
    this.exited = new Promise((resolve) => child.once('exit', resolve));
    this.ports = await Promise.race([
      new Promise<ListeningMessage>((resolve) =>
        child.on('message', (message) => isListeningMessage(message) && resolve(message)),
      ),
      this.exited.then((code): never => {
        throw new Error(`${this.name} ended with code ${code} before it listened`);
      }),
    ]);
    if (service === undefined) return;
    await eventually(async () => (await this.answers('/health/startup')) || undefined);
    service.add(this.ports.grpcPort);
  }

  /** SIGTERM. @returns the exit code */
  stop(): Promise<number | null> {
    if (this.ports !== undefined) this.options.service?.remove(this.ports.grpcPort);
    this.signal('SIGTERM');
    return this.exited;
  }

  /** A successor stands behind the name beside it before it ends. @returns its exit code */
  async succeed(): Promise<number | null> {
    const { child, ports, exited } = this;
    await this.start();
    await delay(OVERLAP_MS);
    this.options.service?.remove(ports?.grpcPort ?? 0);
    child?.kill('SIGTERM');
    return exited;
  }

  get isNamed(): boolean {
    return this.options.service !== undefined;
  }

  signal(signal: NodeJS.Signals): void {
    this.child?.kill(signal);
  }

  isReady(): Promise<boolean> {
    return this.answers('/health/ready');
  }

  metrics(): Promise<string> {
    return fetch(`${this.url}/metrics`).then((response) => response.text());
  }

  private async answers(path: string): Promise<boolean> {
    const response = await fetch(`${this.url}${path}`, { signal: AbortSignal.timeout(2_000) }).catch(() => undefined);
    await response?.arrayBuffer().catch(() => undefined);
    return response?.status === 200;
  }
}
