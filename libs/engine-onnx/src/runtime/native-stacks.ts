import koffi from 'koffi';

/**
 * Native stack of the threads that run the model, in bytes. Koffi gives asynchronous calls 128 KiB, which the optimizer
 * of a deep graph may exceed; 4 MiB is half of what a main thread has.
 */
const NATIVE_STACK_BYTES = 4 * 1024 * 1024;

/** Before any library is loaded: koffi takes settings only until then. */
export function enlargeNativeStacks(): void {
  if (koffi.config().async_stack_size === NATIVE_STACK_BYTES) return;
  koffi.config({ async_stack_size: NATIVE_STACK_BYTES, sync_stack_size: NATIVE_STACK_BYTES });
}
