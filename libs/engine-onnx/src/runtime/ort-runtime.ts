import koffi from 'koffi';
import { OrtError, toOrtErrorCode } from './ort-error.js';
import {
  bindOrtFunctions,
  FUNCTION_TABLE_LENGTH,
  type OrtFunctions,
  type Pointer,
  type PointerOut,
  type Status,
} from './ort-functions.js';
import { locateOrtLibrary, type OrtLibraryLocation, openOrtLibrary } from './ort-library.js';

/** `OrtLoggingLevel`: errors and worse; what fails is also an `OrtError`. */
const LOG_ERRORS = 3;
const DEVICE_ALLOCATOR = 0;
const DEFAULT_MEMORY = 0;

/** `ONNXTensorElementDataType` */
export const ELEMENT_TYPES = { float32: 1, int32: 6, int64: 7, bool: 9 } as const;
export type ElementType = keyof typeof ELEMENT_TYPES;

/** Where a tensor's memory is. The caller closes it. */
export interface MemoryPlace {
  readonly memoryInfo: Pointer;
}

/**
 * ONNX Runtime's C API, opened: the environment that sessions live in, and what they share. Sessions are closed before
 * it. It may be opened in several threads; each has its own.
 */
export class OrtRuntime {
  readonly version: string;
  readonly functions: OrtFunctions;
  /** The library's allocator for CPU memory, aligned to 64 bytes. Owned by the library. */
  readonly cpuAllocator: Pointer;
  readonly cpuMemory: MemoryPlace;
  readonly env: Pointer;
  private isOpen = true;

  private constructor(location: OrtLibraryLocation) {
    const library = openOrtLibrary(location, FUNCTION_TABLE_LENGTH);
    this.version = library.version;
    this.functions = bindOrtFunctions(library);
    this.env = this.created('CreateEnv', (out) => this.functions.createEnv(LOG_ERRORS, 'hydraserve', out));
    this.cpuAllocator = this.created('GetAllocatorWithDefaultOptions', this.functions.getDefaultAllocator);
    this.cpuMemory = this.memoryPlace('Cpu', 0);
  }

  /** @throws OrtLibraryError when the library cannot be used on this machine */
  static open(location: OrtLibraryLocation = locateOrtLibrary()): OrtRuntime {
    return new OrtRuntime(location);
  }

  /**
   * Memory of a device under its name in ONNX Runtime (`Cpu`, `Cuda`). The caller releases it, but for `cpuMemory`.
   */
  memoryPlace(name: string, deviceId: number): MemoryPlace {
    const memoryInfo = this.created('CreateMemoryInfo', (out) =>
      this.functions.createMemoryInfo(name, DEVICE_ALLOCATOR, deviceId, DEFAULT_MEMORY, out),
    );
    return { memoryInfo };
  }

  releaseMemoryPlace(place: MemoryPlace): void {
    this.functions.releaseMemoryInfo(place.memoryInfo);
  }

  /**
   * A tensor over memory that the caller owns and keeps alive for as long as the tensor or anything bound to it lives.
   * An array's memory must not move: V8 keeps arrays of up to 64 bytes inside its moving heap until their `buffer` is
   * first asked for.
   * @returns the handle of the `OrtValue`; the caller releases it
   */
  tensorOver(
    memory: Pointer | NodeJS.TypedArray,
    byteLength: number,
    type: ElementType,
    shape: readonly number[],
    place: MemoryPlace = this.cpuMemory,
  ): Pointer {
    if (typeof memory !== 'bigint') void memory.buffer;
    const dimensions = BigInt64Array.from(shape, BigInt);
    return this.created('CreateTensorWithDataAsOrtValue', (out) =>
      this.functions.createTensorOverMemory(
        place.memoryInfo,
        memory,
        byteLength,
        dimensions,
        shape.length,
        ELEMENT_TYPES[type],
        out,
      ),
    );
  }

  /** Runs a call that hands out something it made, and returns that. */
  created(call: string, create: (out: PointerOut) => Status): Pointer {
    const out: PointerOut = [null];
    this.check(call, create(out));
    return this.handle(call, out);
  }

  /** What a call put into `out`. */
  handle(call: string, out: PointerOut): Pointer {
    if (out[0] === null) throw new OrtError(call, 'fail', 'it returned nothing');
    return out[0];
  }

  /** @throws OrtError when the status is not success; the status is released */
  check(call: string, status: Status): void {
    if (status === null) return;
    const { getErrorCode, getErrorMessage, releaseStatus } = this.functions;
    const error = new OrtError(call, toOrtErrorCode(getErrorCode(status)), getErrorMessage(status).trim());
    releaseStatus(status);
    throw error;
  }

  /** Reads a string the library allocated, and frees it. */
  takeText(text: Pointer): string {
    const value = koffi.decode.string(text);
    this.check('AllocatorFree', this.functions.free(this.cpuAllocator, text));
    return value;
  }

  /** Idempotent. */
  close(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.releaseMemoryPlace(this.cpuMemory);
    this.functions.releaseEnv(this.env);
  }
}
