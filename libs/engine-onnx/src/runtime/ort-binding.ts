import type { Pointer } from './ort-functions.js';
import { type ElementType, type MemoryPlace, type OrtRuntime } from './ort-runtime.js';

/** Memory that a tensor lies in: an array of ours, or an address with its length. */
export type TensorMemory =
  | NodeJS.TypedArray
  | { readonly address: Pointer; readonly byteLength: number; readonly place: MemoryPlace };

/** A name was bound that the model does not have. */
export class UnknownTensorError extends Error {
  override readonly name = 'UnknownTensorError';

  constructor(
    readonly direction: 'input' | 'output',
    readonly tensor: string,
    known: readonly string[],
  ) {
    super(`The model has no ${direction} '${tensor}'; it has ${known.join(', ')}.`);
  }
}

export interface BindableSession {
  readonly handle: Pointer;
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  /** Whether inputs in CPU memory are copied when they are bound: on a GPU. */
  readonly copiesInputs: boolean;
}

interface BoundArray {
  /** It must not be collected. */
  readonly array: NodeJS.TypedArray;
  readonly type: ElementType;
  readonly shape: readonly number[];
}

/**
 * Inputs and outputs of a session, bound by name to memory that stays where it is: what the model reads and writes is
 * never copied on the CPU. Binding a name again replaces what was bound; binding the same memory in the same shape again does nothing.
 *
 * On a GPU, inputs that lie in CPU memory are copied when they are *bound*: bind them again after changing them.
 */
export class OrtBinding {
  readonly handle: Pointer;
  /** Arrays of ours that are bound now, by name. */
  private readonly arrays = { input: new Map<string, BoundArray>(), output: new Map<string, BoundArray>() };
  private isOpen = true;

  /** Made by `OrtSession.createBinding`. */
  constructor(
    private readonly runtime: OrtRuntime,
    private readonly session: BindableSession,
    private readonly onClose: () => void,
  ) {
    this.handle = runtime.created('CreateIoBinding', (out) => runtime.functions.createIoBinding(session.handle, out));
  }

  bindInput(name: string, memory: TensorMemory, type: ElementType, shape: readonly number[]): void {
    if (!this.session.copiesInputs && isSame(this.arrays.input.get(name), memory, type, shape)) return;
    this.withTensor(memory, type, shape, (tensor) => this.setInput(name, tensor));
    this.keep('input', name, memory, type, shape);
  }

  bindOutput(name: string, memory: TensorMemory, type: ElementType, shape: readonly number[]): void {
    if (isSame(this.arrays.output.get(name), memory, type, shape)) return;
    this.withTensor(memory, type, shape, (tensor) => this.setOutput(name, tensor));
    this.keep('output', name, memory, type, shape);
  }

  /** Binds one tensor as input and output: the model then updates it in place. */
  bindInPlace(
    inputName: string,
    outputName: string,
    memory: TensorMemory,
    type: ElementType,
    shape: readonly number[],
  ): void {
    this.withTensor(memory, type, shape, (tensor) => {
      this.setInput(inputName, tensor);
      this.setOutput(outputName, tensor);
    });
    this.keep('input', inputName, memory, type, shape);
    this.keep('output', outputName, memory, type, shape);
  }

  /** Idempotent. */
  close(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.runtime.functions.releaseIoBinding(this.handle);
    this.arrays.input.clear();
    this.arrays.output.clear();
    this.onClose();
  }

  /** A name that the library does not know would leave its binding broken, so it is refused here. */
  private setInput(name: string, tensor: Pointer): void {
    if (!this.session.inputNames.includes(name)) throw new UnknownTensorError('input', name, this.session.inputNames);
    this.runtime.check(`BindInput ${name}`, this.runtime.functions.bindInput(this.handle, name, tensor));
  }

  private setOutput(name: string, tensor: Pointer): void {
    if (!this.session.outputNames.includes(name))
      throw new UnknownTensorError('output', name, this.session.outputNames);
    this.runtime.check(`BindOutput ${name}`, this.runtime.functions.bindOutput(this.handle, name, tensor));
  }

  /** The binding shares ownership of a bound tensor, so ours ends here. */
  private withTensor(
    memory: TensorMemory,
    type: ElementType,
    shape: readonly number[],
    bind: (tensor: Pointer) => void,
  ): void {
    const tensor =
      'address' in memory
        ? this.runtime.tensorOver(memory.address, memory.byteLength, type, shape, memory.place)
        : this.runtime.tensorOver(memory, memory.byteLength, type, shape);
    try {
      bind(tensor);
    } finally {
      this.runtime.functions.releaseValue(tensor);
    }
  }

  private keep(
    direction: 'input' | 'output',
    name: string,
    memory: TensorMemory,
    type: ElementType,
    shape: readonly number[],
  ): void {
    if ('address' in memory) this.arrays[direction].delete(name);
    else this.arrays[direction].set(name, { array: memory, type, shape });
  }
}

function isSame(
  bound: BoundArray | undefined,
  memory: TensorMemory,
  type: ElementType,
  shape: readonly number[],
): boolean {
  if (bound === undefined || 'address' in memory) return false;
  return (
    bound.array.buffer === memory.buffer &&
    bound.array.byteOffset === memory.byteOffset &&
    bound.array.byteLength === memory.byteLength &&
    bound.type === type &&
    bound.shape.length === shape.length &&
    bound.shape.every((size, axis) => size === shape[axis])
  );
}
