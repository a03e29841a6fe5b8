/**
 * The engine's thread is inside a native call that does not return. Nothing in a process can end such a thread, and what
 * it holds (weights, KV) is free only when the process is: the engine can be started again in a new process alone.
 */
export class EngineStuckError extends Error {
  override readonly name = 'EngineStuckError';

  constructor() {
    super("The engine's thread is stuck in a native call and cannot be ended; only a new process can go on.");
  }
}
