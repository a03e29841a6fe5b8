import { type ChildProcess, fork } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { isListeningMessage, type ListeningMessage } from '#lib/observability';

const MAIN = fileURLToPath(new URL('../../dist/apps/inference/src/main.js', import.meta.url));

/** A worker in a process of its own, from the build, as `hydra up` starts it. */
export class WorkerProcess {
  readonly lines: Record<string, unknown>[] = [];
  /** What is not a log line: a wrong configuration is reported before there is a logger. */
  readonly otherLines: string[] = [];
  readonly exited: Promise<number | null>;
  private waiters: (() => void)[] = [];
  private readonly listening = Promise.withResolvers<ListeningMessage>();
  private readonly child: ChildProcess;

  /**
   * @param env   beside ports (free ones) and a scheduler's target where nobody listens
   * @param main  of another build
   */
  constructor(env: Readonly<Record<string, string>>, main = MAIN) {
    if (!existsSync(main)) throw new Error('no build: run `make build` first');
    this.child = fork(main, [], {
      env: {
        PATH: process.env['PATH'],
        HYDRA_WORKER_GRPC_PORT: '0',
        HYDRA_WORKER_HTTP_PORT: '0',
        HYDRA_SCHEDULER_TARGET: '127.0.0.1:1',
        HYDRA_LOG_LEVEL: 'debug',
        ...env,
      },
      execArgv: [], // not the test runner's, which resolve sources
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      createInterface({ input: stream! }).on('line', (line) => this.read(line)); // both are pipes
    }
    this.child.on('message', (message) => {
      if (isListeningMessage(message)) this.listening.resolve(message);
    });
    this.exited = new Promise((resolve) => this.child.once('exit', resolve));
    void this.exited.then((code) => {
      const said = [...this.otherLines, ...this.lines.slice(-3).map((line) => line['message'])].join('\n');
      this.listening.reject(new Error(`the worker ended with code ${code}: ${said}`));
    });
    this.listening.promise.catch(() => {}); // awaited by some callers only
  }

  /** Resolves with its ports once it is ready; rejects when it ended before. */
  ready(): Promise<ListeningMessage> {
    return this.listening.promise;
  }

  /** Resolves when a log line has come that fits. */
  async line(fits: (line: Record<string, unknown>) => boolean): Promise<void> {
    while (!this.lines.some(fits)) await new Promise<void>((resolve) => this.waiters.push(resolve));
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** SIGTERM. @returns the exit code */
  stop(): Promise<number | null> {
    this.signal('SIGTERM');
    return this.exited;
  }

  private read(line: string): void {
    if (line.startsWith('{')) this.lines.push(JSON.parse(line));
    else this.otherLines.push(line);
    for (const waiter of this.waiters.splice(0)) waiter();
  }
}
