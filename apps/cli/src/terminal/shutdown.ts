/** 128 + SIGINT, as shells have it. */
export const INTERRUPTED_EXIT_CODE = 130;

/** The person pressed Ctrl-C, or the process was asked to end. */
export class InterruptedError extends Error {
  override readonly name = 'InterruptedError';
}

/** What Ctrl-C and SIGTERM mean to a command: the first aborts `signal`, the second calls `onSecond`. */
export function untilInterrupted(onSecond: () => void = () => process.exit(INTERRUPTED_EXIT_CODE)): AbortSignal {
  const controller = new AbortController();
  const interrupt = () => {
    if (controller.signal.aborted) onSecond();
    else controller.abort(new InterruptedError('interrupted'));
  };
  process.on('SIGINT', interrupt);
  process.on('SIGTERM', interrupt);
  return controller.signal;
}
