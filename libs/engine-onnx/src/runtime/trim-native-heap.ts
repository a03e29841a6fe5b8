import { platform } from 'node:process';
import koffi from 'koffi';
import { enlargeNativeStacks } from './native-stacks.js';

/**
 * Gives the system back what native code has freed. glibc keeps it for later: after a model's weights were put in the kernels'
 * order and the start's own tables dropped, tens of megabytes that are not needed again. Nothing where there is no glibc.
 */
export function trimNativeHeap(): void {
  if (platform !== 'linux') return; // there ONNX Runtime's library needs glibc, so this is it
  enlargeNativeStacks();
  koffi.load(null).func('malloc_trim', 'int', ['size_t'])(0);
}
