import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import type { ModelStoreOptions } from '../src/model-store.js';
import type { PullProgress } from '../src/net/progress-meter.js';
import type { ResolvedModel } from '../src/resolved-model.js';

type Message = 'ready' | { readonly progress?: PullProgress; readonly model?: ResolvedModel; readonly error?: string };

/** Another process that pulls a model with the built library. */
export class PullProcess {
  private readonly messages: Message[] = [];
  private changed: () => void = () => undefined;

  private constructor(readonly child: ChildProcess) {
    child.on('message', (message: Message) => {
      this.messages.push(message);
      this.changed();
    });
    child.once('exit', () => this.changed());
  }

  static async start(name: string, options: ModelStoreOptions): Promise<PullProcess> {
    const started = new PullProcess(
      fork(fileURLToPath(new URL('pull-process.mjs', import.meta.url)), { execArgv: [] }),
    );
    onTestFinished(() => started.kill());
    await started.find((message) => message === 'ready');
    started.child.send({ name, ...options });
    return started;
  }

  /** Waits for a message that is told. */
  progress(matches: (progress: PullProgress) => boolean): Promise<unknown> {
    return this.find((message) => message !== 'ready' && message.progress !== undefined && matches(message.progress));
  }

  async result(): Promise<ResolvedModel> {
    const message = await this.find((one) => one !== 'ready' && (one.model ?? one.error) !== undefined);
    if (message !== 'ready' && message.model !== undefined) return message.model;
    throw new Error(message === 'ready' ? 'no result' : message.error);
  }

  /** As `kill -9` does it. */
  async kill(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    this.child.kill('SIGKILL');
    await once(this.child, 'exit');
  }

  private async find(matches: (message: Message) => boolean): Promise<Message> {
    for (;;) {
      const found = this.messages.find(matches);
      if (found !== undefined) return found;
      if (this.child.exitCode !== null || this.child.signalCode !== null) throw new Error('the process ended');
      await new Promise<void>((resolve) => {
        this.changed = resolve;
      });
    }
  }
}
