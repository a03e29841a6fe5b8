import { createRequire } from 'node:module';

/** EX_SOFTWARE of sysexits.h: the engine is lost; a supervisor is to start the process again. */
export const ENGINE_LOST_EXIT_CODE = 70;

/**
 * Ends the process now. `process.exit` joins all threads first, and would wait for ever for one that is stuck in a native
 * call (measured, Node 24: it returned when the call did); the C library's `_exit` asks nobody. A `fatal` log line has left
 * with all before it: standard output is synchronous for files, pipes and terminals on POSIX systems.
 */
export function endProcessNow(code: number): never {
  try {
    const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi').default;
    koffi.load(null).func('void _exit(int)')(code);
  } catch {
    // Not everywhere is it found so; the system's own way has no code, but is as good to the supervisor.
  }
  process.kill(process.pid, 'SIGKILL');
  throw new Error('the process outlives SIGKILL');
}
