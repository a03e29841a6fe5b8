import { fork } from 'node:child_process';
import { once } from 'node:events';
import { basename } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

/** Chosen: the first start pulls and compiles the model. */
const START_LIMIT_MS = 600_000;
/** Chosen: ten times what the longest case takes on two cores. */
const CASE_LIMIT_MS = 300_000;
const STOP_LIMIT_MS = 30_000;

/** An engine in a process of its own, asked one case at a time; between two it does nothing. `await using` stops it. */
export class EngineProcess {
  #name;
  #child;

  /** What it told of itself. */
  description;

  constructor(name, child) {
    this.#name = name;
    this.#child = child;
  }

  /** Its output goes to stderr: stdout is the report's. Rejects when it cannot load. @param {Record<string, string>} env  beyond ours */
  static async start(file, args, env = {}) {
    const child = fork(file, args, { stdio: ['ignore', 2, 2, 'ipc'], env: { ...process.env, ...env } });
    const engine = new EngineProcess(basename(fileURLToPath(file)), child);
    engine.description = await engine.#answer(START_LIMIT_MS);
    return engine;
  }

  /** @param {string} kind @param {object} argument */
  async ask(kind, argument) {
    this.#child.send({ kind, argument });
    return this.#answer(CASE_LIMIT_MS);
  }

  async [Symbol.asyncDispose]() {
    if (this.#hasEnded) return;
    const exited = once(this.#child, 'exit');
    if (this.#child.connected) this.#child.send({ kind: 'stop' });
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), STOP_LIMIT_MS);
    await exited;
    clearTimeout(timer);
  }

  get #hasEnded() {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  /** Rejects when the process ends or takes longer; then it is ended. */
  async #answer(limitMs) {
    const abort = new AbortController();
    const { signal } = abort;
    try {
      const [message] = await Promise.race([
        once(this.#child, 'message', { signal }),
        once(this.#child, 'exit', { signal }).then(([code, by]) => {
          throw new Error(`${this.#name} ended with ${by ?? `code ${code}`}.`);
        }),
        delay(limitMs, undefined, { signal }).then(() => {
          this.#child.kill('SIGKILL');
          throw new Error(`${this.#name} did not answer within ${limitMs / 1000} s.`);
        }),
      ]);
      if (message.error !== undefined) throw new Error(`${this.#name}: ${message.error}`);
      return message.answer;
    } finally {
      abort.abort();
    }
  }
}
