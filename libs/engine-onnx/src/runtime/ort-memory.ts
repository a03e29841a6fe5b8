import koffi from 'koffi';
import type { Pointer } from './ort-functions.js';
import type { MemoryPlace, OrtRuntime } from './ort-runtime.js';
import type { OrtSession } from './ort-session.js';
import type { ExecutionProvider } from './ort-session-options.js';

/**
 * Memory of the library where a session computes: CPU memory, whose pages the system gives on first write, or device
 * memory. Not cleared. Closed before the session.
 */
export class OrtMemory {
  private isOpen = true;

  private constructor(
    readonly address: Pointer,
    readonly byteLength: number,
    readonly place: MemoryPlace,
    /** Whether this process can read and write it by address. */
    readonly isOnCpu: boolean,
    private readonly release: () => void,
  ) {}

  /** @throws OrtError when there is not that much */
  static allocate(
    runtime: OrtRuntime,
    session: OrtSession,
    provider: ExecutionProvider,
    byteLength: number,
  ): OrtMemory {
    if (provider.kind === 'cuda') return OrtMemory.allocateOnCuda(runtime, session, provider.deviceId, byteLength);
    const { cpuAllocator, cpuMemory, functions } = runtime;
    const address = runtime.created('AllocatorAlloc', (out) => functions.allocate(cpuAllocator, byteLength, out));
    const forget = session.ledger.enter('memory', address);
    return new OrtMemory(address, byteLength, cpuMemory, true, () => {
      forget();
      runtime.check('AllocatorFree', functions.free(cpuAllocator, address));
    });
  }

  /** Not verified on a GPU. */
  private static allocateOnCuda(
    runtime: OrtRuntime,
    session: OrtSession,
    deviceId: number,
    byteLength: number,
  ): OrtMemory {
    const { functions } = runtime;
    const place = runtime.memoryPlace('Cuda', deviceId);
    let allocator: Pointer | undefined;
    const releasePlace = () => {
      if (allocator !== undefined) functions.releaseAllocator(allocator);
      runtime.releaseMemoryPlace(place);
    };
    try {
      const onDevice = runtime.created('CreateAllocator', (out) =>
        functions.createAllocator(session.handle, place.memoryInfo, out),
      );
      allocator = onDevice;
      const address = runtime.created('AllocatorAlloc', (out) => functions.allocate(onDevice, byteLength, out));
      return new OrtMemory(address, byteLength, place, false, () => {
        runtime.check('AllocatorFree', functions.free(onDevice, address));
        releasePlace();
      });
    } catch (error) {
      releasePlace();
      throw error;
    }
  }

  /** The memory itself, of the CPU only. Not to be used after `close`. */
  view(): Uint8Array {
    if (!this.isOnCpu || !this.isOpen) throw new Error('There is no memory of the CPU to be seen.');
    return new Uint8Array(koffi.view(this.address, this.byteLength));
  }

  /** Idempotent. */
  close(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.release();
  }
}
