/** What Ctrl-C and SIGTERM mean to a command: the first aborts `signal`, the second calls `onSecond`. */
export function untilInterrupted(onSecond: () => void = () => process.exit(130)): AbortSignal {
  const controller = new AbortController();
  const interrupt = () => {
    if (controller.signal.aborted) onSecond();
    else controller.abort(new Error('interrupted'));
  };
  process.on('SIGINT', interrupt);
  process.on('SIGTERM', interrupt);
  return controller.signal;
}
