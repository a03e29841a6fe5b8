import { type ChildProcess, fork } from 'node:child_process';
import { createInterface } from 'node:readline';
import { CONFIG_EXIT_CODE } from '#lib/config';
import { isListeningMessage, type ListeningMessage } from '#lib/observability';

export interface ChildAppOptions {
  /** Name in front of its log lines: `gateway`, `scheduler`, `worker-0`. */
  readonly name: string;
  /** Module to run. */
  readonly entry: string;
  /** Of Node, after our own. */
  readonly flags?: readonly string[];
  /** Variables for where our environment has none. */
  readonly defaults?: Readonly<Record<string, string>>;
  /** Variables that override ours; asked at each start. */
  readonly env: () => Readonly<Record<string, string>>;
  readonly onLine: (name: string, line: string) => void;
  /** Called each time it listens, with its ports. */
  readonly onListening?: (ports: ListeningMessage) => void;
  /** Called when it was given up: it failed too often before it ever listened. */
  readonly onGivenUp: (name: string, reason: string) => void;
}

/** Delays before restarts, in milliseconds; chosen so that a crash costs a quarter of a second and a crash loop little CPU. */
const FIRST_DELAY_MS = 250;
const LONGEST_DELAY_MS = 10_000;
/** After this long without a crash the next restart is quick again. */
const HEALTHY_AFTER_MS = 30_000;
/** Starts that may fail in a row before the app listened once. */
const STARTS_BEFORE_GIVING_UP = 3;

/** One app as a child process: started, restarted with back-off when it dies, stopped in order. */
export class ChildApp {
  private child: ChildProcess | undefined;
  private restartTimer: NodeJS.Timeout | undefined;
  private delayMs = FIRST_DELAY_MS;
  private startedAtMs = 0;
  private failedStarts = 0;
  private lastPorts: ListeningMessage | undefined;
  /** The child of now listens. */
  private isListening = false;
  private isStopping = false;
  private readonly listening = Promise.withResolvers<ListeningMessage>();

  constructor(private readonly options: ChildAppOptions) {
    this.listening.promise.catch(() => {}); // awaited by some callers only
  }

  get name(): string {
    return this.options.name;
  }

  get pid(): number | undefined {
    return this.child?.pid;
  }

  /** Where it listens, or listened before it was started again; `undefined` until it does for the first time. */
  get ports(): ListeningMessage | undefined {
    return this.lastPorts;
  }

  /** Starts it. @returns its ports, once it listens for the first time; rejects when it was given up */
  start(): Promise<ListeningMessage> {
    this.spawn();
    return this.listening.promise;
  }

  /**
   * Asks it to end (SIGTERM) and waits. One that does not listen yet has nothing to finish, and is killed.
   * @param killAfterMs  time after which it is killed
   */
  async stop(killAfterMs: number): Promise<void> {
    this.isStopping = true;
    clearTimeout(this.restartTimer);
    const child = this.child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    child.kill(this.isListening ? 'SIGTERM' : 'SIGKILL');
    const timer = setTimeout(() => child.kill('SIGKILL'), killAfterMs);
    await exited;
    clearTimeout(timer);
  }

  /** Ends it at once. */
  kill(): void {
    this.isStopping = true;
    clearTimeout(this.restartTimer);
    this.child?.kill('SIGKILL');
  }

  private spawn(): void {
    const { name, entry, flags = [], defaults, env, onLine, onListening } = this.options;
    this.startedAtMs = performance.now();
    this.isListening = false;
    // A process group of its own: Ctrl-C in the terminal reaches the parent alone, which stops the children in order.
    const child = fork(entry, [], {
      execArgv: [...process.execArgv, ...flags],
      env: { ...defaults, ...process.env, ...env() },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      detached: true,
    });
    this.child = child;
    for (const stream of [child.stdout, child.stderr]) {
      if (stream) createInterface({ input: stream }).on('line', (line) => onLine(name, line));
    }
    child.on('message', (message) => {
      if (!isListeningMessage(message)) return;
      this.lastPorts = message;
      this.isListening = true;
      this.failedStarts = 0;
      this.listening.resolve(message);
      onListening?.(message);
    });
    child.once('exit', (code, signal) => this.onExit(code, signal));
  }

  private onExit(code: number | null, signal: NodeJS.Signals | null): void {
    if (this.isStopping) return;
    const how = signal ? `was ended by ${signal}` : `ended with code ${code}`;
    if (this.lastPorts === undefined) this.failedStarts += 1;
    if (code === CONFIG_EXIT_CODE || this.failedStarts >= STARTS_BEFORE_GIVING_UP) {
      const reason = `${this.name} ${how} before it was ready`;
      this.listening.reject(new Error(reason));
      this.options.onGivenUp(this.name, reason);
      return;
    }
    if (performance.now() - this.startedAtMs > HEALTHY_AFTER_MS) this.delayMs = FIRST_DELAY_MS;
    this.options.onLine(this.name, `${this.name} ${how}; restarting in ${this.delayMs} ms`);
    this.restartTimer = setTimeout(() => this.spawn(), this.delayMs);
    this.delayMs = Math.min(this.delayMs * 2, LONGEST_DELAY_MS);
  }
}
