import type { NativeLedger } from './native-ledger.js';
import { OrtLibraryError } from './ort-library.js';
import { OrtRuntime } from './ort-runtime.js';
import { VirtualMemory } from './virtual-memory.js';

/**
 * Frees what a thread held that has ended without closing it. Nothing runs in it any more: a thread ends only when its last
 * native call has returned. Bindings stay, some kilobytes each.
 * @returns whether all is freed; otherwise the library cannot be used at present, and it may be called again
 */
export function freeAbandoned(ledger: NativeLedger): boolean {
  if (ledger.isEmpty) return true;
  let runtime: OrtRuntime;
  try {
    runtime = OrtRuntime.open();
  } catch (error) {
    if (error instanceof OrtLibraryError) return false;
    throw error;
  }
  try {
    const { cpuAllocator, functions } = runtime;
    for (const { kind, address, byteLength } of ledger.take()) {
      switch (kind) {
        case 'session':
          functions.releaseSession(address);
          break;
        case 'memory':
          runtime.check('AllocatorFree', functions.free(cpuAllocator, address));
          break;
        case 'addresses':
          VirtualMemory.free(address, byteLength);
          break;
        default:
          kind satisfies never;
      }
    }
  } finally {
    runtime.close();
  }
  return true;
}
