import { platform } from 'node:process';
import koffi, { type KoffiFunc, type TypeObject } from 'koffi';
import type { OrtLibrary } from './ort-library.js';

/** Address of something the library owns. */
export type Pointer = bigint;
/** Null is success; anything else must be read and released. */
export type Status = Pointer | null;
/** Receives an address: `[null]` before the call. */
export type PointerOut = [Pointer | null];
export type CountOut = [number];

/** Length of the part of the table that is read: the last function used is number 208. */
export const FUNCTION_TABLE_LENGTH = 209;

const pointer = 'void*';
const text = 'const char*';
/** `ORTCHAR_T`: the type of paths. */
const path = platform === 'win32' ? 'const char16_t*' : 'const char*';
const pointerOut = koffi.out(koffi.pointer('void*'));
const countOut = koffi.out(koffi.pointer('size_t'));
const int64s = 'int64_t*';
const texts = koffi.pointer('const char*');

type Types = Parameters<typeof koffi.proto>[3];

/**
 * The functions of `OrtApi` that the engine uses, with the number of each in the table and its C signature.
 * @see https://onnxruntime.ai/docs/api/c/struct_ort_api.html
 */
export function bindOrtFunctions(library: OrtLibrary) {
  function at<T extends (...values: never[]) => unknown>(index: number, types: Types, result = pointer): KoffiFunc<T> {
    const signature: TypeObject = koffi.proto(result, types);
    return koffi.decode(library.functionTable[index], signature) as KoffiFunc<T>;
  }
  const create = (index: number) => at<(out: PointerOut) => Status>(index, [pointerOut]);
  const change = (index: number) => at<(target: Pointer) => Status>(index, [pointer]);
  const setNumber = (index: number) => at<(target: Pointer, value: number) => Status>(index, [pointer, 'int']);
  const release = (index: number) => at<(target: Pointer) => void>(index, [pointer], 'void');

  return {
    getErrorCode: at<(status: Pointer) => number>(1, [pointer], 'int'),
    getErrorMessage: at<(status: Pointer) => string>(2, [pointer], text),
    releaseStatus: release(93),

    createEnv: at<(logLevel: number, logId: string, out: PointerOut) => Status>(3, ['int', text, pointerOut]),
    releaseEnv: release(92),

    createSessionOptions: create(10),
    enableMemPattern: change(16),
    disableMemPattern: change(17),
    enableCpuMemArena: change(18),
    disableCpuMemArena: change(19),
    setGraphOptimizationLevel: setNumber(23),
    setIntraOpNumThreads: setNumber(24),
    setInterOpNumThreads: setNumber(25),
    addSessionConfigEntry: at<(options: Pointer, key: string, value: string) => Status>(130, [pointer, text, text]),
    appendCudaProvider: at<(options: Pointer, cuda: Pointer) => Status>(204, [pointer, pointer]),
    createCudaOptions: create(205),
    updateCudaOptions: at<(cuda: Pointer, keys: string[], values: string[], count: number) => Status>(206, [
      pointer,
      texts,
      texts,
      'size_t',
    ]),
    releaseCudaOptions: release(208),
    releaseSessionOptions: release(100),

    createSession: at<(env: Pointer, modelPath: string, options: Pointer, out: PointerOut) => Status>(7, [
      pointer,
      path,
      pointer,
      pointerOut,
    ]),
    getInputCount: at<(session: Pointer, out: CountOut) => Status>(30, [pointer, countOut]),
    getOutputCount: at<(session: Pointer, out: CountOut) => Status>(31, [pointer, countOut]),
    getInputName: at<(session: Pointer, index: number, allocator: Pointer, out: PointerOut) => Status>(36, [
      pointer,
      'size_t',
      pointer,
      pointerOut,
    ]),
    getOutputName: at<(session: Pointer, index: number, allocator: Pointer, out: PointerOut) => Status>(37, [
      pointer,
      'size_t',
      pointer,
      pointerOut,
    ]),
    runWithBinding: at<(session: Pointer, runOptions: Pointer, binding: Pointer) => Status>(133, [
      pointer,
      pointer,
      pointer,
    ]),
    releaseSession: release(95),

    createRunOptions: create(39),
    setTerminate: change(46),
    unsetTerminate: change(47),
    releaseRunOptions: release(97),

    createMemoryInfo: at<
      (name: string, allocatorType: number, deviceId: number, memoryType: number, out: PointerOut) => Status
    >(68, [text, 'int', 'int', 'int', pointerOut]),
    releaseMemoryInfo: release(94),
    getDefaultAllocator: create(78),
    createAllocator: at<(session: Pointer, memoryInfo: Pointer, out: PointerOut) => Status>(131, [
      pointer,
      pointer,
      pointerOut,
    ]),
    allocate: at<(allocator: Pointer, byteLength: number, out: PointerOut) => Status>(75, [
      pointer,
      'size_t',
      pointerOut,
    ]),
    free: at<(allocator: Pointer, memory: Pointer) => Status>(76, [pointer, pointer]),
    releaseAllocator: release(132),

    createTensorOverMemory: at<
      (
        memoryInfo: Pointer,
        memory: Pointer | NodeJS.TypedArray,
        byteLength: number,
        shape: BigInt64Array,
        rank: number,
        elementType: number,
        out: PointerOut,
      ) => Status
    >(49, [pointer, pointer, 'size_t', int64s, 'size_t', 'int', pointerOut]),
    releaseValue: release(96),

    createIoBinding: at<(session: Pointer, out: PointerOut) => Status>(134, [pointer, pointerOut]),
    bindInput: at<(binding: Pointer, name: string, value: Pointer) => Status>(136, [pointer, text, pointer]),
    bindOutput: at<(binding: Pointer, name: string, value: Pointer) => Status>(137, [pointer, text, pointer]),
    releaseIoBinding: release(135),
  };
}

export type OrtFunctions = ReturnType<typeof bindOrtFunctions>;
