import { NativeLedger } from './native-ledger.js';
import { OrtBinding } from './ort-binding.js';
import type { CountOut, Pointer, PointerOut, Status } from './ort-functions.js';
import type { OrtRuntime } from './ort-runtime.js';
import { createSessionOptions, type OrtSessionOptions } from './ort-session-options.js';

/** A loaded model, and the bindings made for it. One run at a time; loading and `run` leave the JS thread free. */
export class OrtSession {
  private readonly bindings = new Set<OrtBinding>();
  private readonly runOptions: Pointer;
  private readonly forget: () => void;
  private running: Promise<void> = Promise.resolve();
  /** Runs that have begun or wait for one that has. */
  private openRuns = 0;
  private isOpen = true;

  private constructor(
    private readonly runtime: OrtRuntime,
    readonly handle: Pointer,
    readonly inputNames: readonly string[],
    readonly outputNames: readonly string[],
    /** Where it is written down that it, and memory for it, is there. */
    readonly ledger: NativeLedger,
    readonly copiesInputs: boolean,
  ) {
    this.forget = ledger.enter('session', handle);
    this.runOptions = runtime.created('CreateRunOptions', runtime.functions.createRunOptions);
  }

  /**
   * @param modelPath  file of the graph; its external data lies beside it
   * @throws OrtError when the file is missing or is not a model this library can run
   */
  static async load(runtime: OrtRuntime, modelPath: string, options: OrtSessionOptions): Promise<OrtSession> {
    const { functions } = runtime;
    const sessionOptions = createSessionOptions(runtime, options);
    try {
      const out: PointerOut = [null];
      const status = await new Promise<Status>((resolve, reject) =>
        functions.createSession.async(runtime.env, modelPath, sessionOptions, out, settle(resolve, reject)),
      );
      runtime.check('CreateSession', status);
      const handle = runtime.handle('CreateSession', out);
      try {
        const ledger = new NativeLedger(options.ledgerPage);
        const [inputs, outputs] = [inputNames(runtime, handle), outputNames(runtime, handle)];
        return new OrtSession(runtime, handle, inputs, outputs, ledger, options.executionProvider?.kind === 'cuda');
      } catch (error) {
        functions.releaseSession(handle);
        throw error;
      }
    } finally {
      functions.releaseSessionOptions(sessionOptions);
    }
  }

  /** The session closes it if the caller does not. */
  createBinding(): OrtBinding {
    this.assertOpen();
    const binding = new OrtBinding(this.runtime, this, () => this.bindings.delete(binding));
    this.bindings.add(binding);
    return binding;
  }

  /**
   * Computes the bound outputs from the bound inputs, on a thread of libuv's pool.
   * @throws OrtError when shapes or types do not fit, or the session was closed meanwhile
   */
  run(binding: OrtBinding): Promise<void> {
    this.assertOpen();
    this.openRuns++;
    const run = this.running.then(async () => {
      const status = await new Promise<Status>((resolve, reject) =>
        this.runtime.functions.runWithBinding.async(
          this.handle,
          this.runOptions,
          binding.handle,
          settle(resolve, reject),
        ),
      ).finally(() => this.openRuns--);
      this.runtime.check('RunWithBinding', status);
    });
    this.running = run.catch(() => undefined);
    return run;
  }

  /**
   * The same on the calling thread, which does nothing else meanwhile. Short runs measured faster so; the likely cause, not proven,
   * is that a thread of a pool has to wake up first, on a core that a compute thread may be spinning on.
   * @throws OrtError when shapes or types do not fit
   */
  runHere(binding: OrtBinding): void {
    this.assertOpen();
    if (this.openRuns > 0) throw new Error('The session is running.');
    const { functions } = this.runtime;
    this.runtime.check('RunWithBinding', functions.runWithBinding(this.handle, this.runOptions, binding.handle));
  }

  /**
   * Ends the current run early, waits for it, and frees everything. Idempotent.
   * @param beforeRelease  called when nothing runs any more and nothing is bound, while the session still exists
   */
  async close(beforeRelease: () => void = () => undefined): Promise<void> {
    if (!this.isOpen) return this.running;
    this.isOpen = false;
    const { functions } = this.runtime;
    this.runtime.check('RunOptionsSetTerminate', functions.setTerminate(this.runOptions));
    this.running = this.running.then(() => {
      for (const binding of [...this.bindings]) binding.close();
      beforeRelease();
      functions.releaseRunOptions(this.runOptions);
      this.forget();
      functions.releaseSession(this.handle);
    });
    return this.running;
  }

  private assertOpen(): void {
    if (!this.isOpen) throw new Error('The session is closed.');
  }
}

function settle(resolve: (status: Status) => void, reject: (error: unknown) => void) {
  return (error: unknown, status: Status) => (error ? reject(error) : resolve(status));
}

function inputNames(runtime: OrtRuntime, session: Pointer): string[] {
  const { getInputCount, getInputName } = runtime.functions;
  return names(
    runtime,
    (out) => getInputCount(session, out),
    (index, out) => getInputName(session, index, runtime.cpuAllocator, out),
  );
}

function outputNames(runtime: OrtRuntime, session: Pointer): string[] {
  const { getOutputCount, getOutputName } = runtime.functions;
  return names(
    runtime,
    (out) => getOutputCount(session, out),
    (index, out) => getOutputName(session, index, runtime.cpuAllocator, out),
  );
}

function names(
  runtime: OrtRuntime,
  count: (out: CountOut) => Status,
  name: (index: number, out: PointerOut) => Status,
): string[] {
  const out: CountOut = [0];
  runtime.check('SessionGetCount', count(out));
  return Array.from({ length: out[0] }, (_, index) =>
    runtime.takeText(runtime.created('SessionGetName', (text) => name(index, text))),
  );
}
