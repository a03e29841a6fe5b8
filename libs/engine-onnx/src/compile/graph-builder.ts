import { createRequire } from 'node:module';
import type { onnx } from 'onnx-proto';

const require = createRequire(import.meta.url);

/** ONNX's numbers of the element types used here. @see https://github.com/onnx/onnx/blob/main/onnx/onnx.proto */
export const ELEMENT = { float32: 1, uint8: 2, int8: 3, int32: 6, int64: 7, bool: 9 } as const;
export type Element = keyof typeof ELEMENT;
/** ONNX's numbers of the attributes' types used here. @see https://github.com/onnx/onnx/blob/main/onnx/onnx.proto */
const ATTRIBUTE = { float: 1, int: 2, string: 3, ints: 7 } as const;

/** A name of a value in the graph: an input, an initializer, or what a node gave. */
export type Value = string;
/** An absent optional input. */
export const NONE: Value = '';

const CONTRIB = 'com.microsoft';
const OPSET = 21;
const CONTRIB_OPSET = 1;
const IR_VERSION = 10;
const EXTERNAL = 1;

/** Where a large initializer's bytes are. */
export interface ExternalData {
  readonly file: string;
  readonly offset: number;
  readonly length: number;
}

type Attribute = number | { readonly float: number } | string | readonly number[];

/** Builds an ONNX graph, node by node, in execution order. */
export class GraphBuilder {
  private readonly nodes: onnx.INodeProto[] = [];
  private readonly inputs: onnx.IValueInfoProto[] = [];
  private readonly outputs: onnx.IValueInfoProto[] = [];
  private readonly initializers = new Map<string, onnx.ITensorProto>();

  /** @param shape  numbers, or names of axes that vary */
  input(name: string, element: Element, shape: readonly (number | string)[]): Value {
    this.inputs.push(valueInfo(name, element, shape));
    return name;
  }

  output(name: Value, element: Element, shape: readonly (number | string)[]): void {
    this.outputs.push(valueInfo(name, element, shape));
  }

  /** A small constant, stored in the graph. The same name twice is the same constant. */
  constant(name: string, element: Element, shape: readonly number[], data: ArrayBufferView): Value {
    const rawData = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    return this.initializer(name, { name, dataType: ELEMENT[element], dims: [...shape], rawData });
  }

  int64s(name: string, values: readonly number[]): Value {
    return this.constant(name, 'int64', [values.length], BigInt64Array.from(values, BigInt));
  }

  /** A large constant in a file beside the graph. */
  external(name: string, element: Element, shape: readonly number[], data: ExternalData): Value {
    const externalData = [
      { key: 'location', value: data.file },
      { key: 'offset', value: String(data.offset) },
      { key: 'length', value: String(data.length) },
    ];
    return this.initializer(name, {
      name,
      dataType: ELEMENT[element],
      dims: [...shape],
      dataLocation: EXTERNAL,
      externalData,
    });
  }

  /**
   * Makes an initializer an input with a default. ONNX Runtime then reads it where it lies, for it might change, instead of copying it
   * into the order of a kernel.
   */
  readInPlace(name: Value): void {
    const { dataType, dims } = this.initializers.get(name)!;
    const dim = dims!.map((size) => ({ dimValue: size }));
    this.inputs.push({ name, type: { tensorType: { elemType: dataType, shape: { dim } } } });
  }

  /** An operator of the standard. @returns its first output */
  op(
    type: string,
    inputs: readonly Value[],
    output: Value,
    attributes: Readonly<Record<string, Attribute>> = {},
  ): Value {
    return this.node('', type, inputs, [output], attributes);
  }

  /** An operator of ONNX Runtime. @returns its first output @see https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md */
  contrib(
    type: string,
    inputs: readonly Value[],
    outputs: readonly Value[],
    attributes: Readonly<Record<string, Attribute>> = {},
  ): Value {
    return this.node(CONTRIB, type, inputs, outputs, attributes);
  }

  /**
   * A graph like this one, in which something stands between some values and whoever takes them.
   * @param between  adds nodes that give the value of this name, from what gave it here under another one
   */
  withBetween(
    values: ReadonlySet<Value>,
    between: (graph: GraphBuilder, value: Value, given: Value) => void,
  ): GraphBuilder {
    const copy = this.withoutNodes();
    for (const node of this.nodes) {
      const value = node.output?.[0] ?? NONE;
      if (!values.has(value)) {
        copy.nodes.push(node);
        continue;
      }
      const given = `${value}.given`;
      copy.nodes.push({ ...node, name: `${given}/${node.opType}`, output: [given, ...(node.output ?? []).slice(1)] });
      between(copy, value, given);
    }
    return copy;
  }

  /**
   * A graph like this one, in which nodes of a type have further outputs and attributes.
   * @param further  by the first output of such a node
   */
  withFurther(
    opType: string,
    further: (value: Value) => { outputs: readonly Value[]; attributes: Readonly<Record<string, Attribute>> },
  ): GraphBuilder {
    const copy = this.withoutNodes();
    for (const node of this.nodes) {
      if (node.opType !== opType) {
        copy.nodes.push(node);
        continue;
      }
      const { outputs, attributes } = further(node.output?.[0] ?? NONE);
      const attribute = [...(node.attribute ?? []), ...toAttributes(attributes)];
      copy.nodes.push({ ...node, output: [...(node.output ?? []), ...outputs], attribute });
    }
    return copy;
  }

  private withoutNodes(): GraphBuilder {
    const copy = new GraphBuilder();
    copy.inputs.push(...this.inputs);
    copy.outputs.push(...this.outputs);
    for (const [name, tensor] of this.initializers) copy.initializers.set(name, tensor);
    return copy;
  }

  /** The finished model, encoded. */
  encode(): Uint8Array {
    const { ModelProto } = (require('onnx-proto') as { onnx: typeof onnx }).onnx; // only here: workers with a compiled model do without
    const model = ModelProto.create({
      irVersion: IR_VERSION,
      producerName: 'hydraserve',
      opsetImport: [
        { domain: '', version: OPSET },
        { domain: CONTRIB, version: CONTRIB_OPSET },
      ],
      graph: {
        name: 'decoder',
        node: this.nodes,
        input: this.inputs,
        output: this.outputs,
        initializer: [...this.initializers.values()],
      },
    });
    return ModelProto.encode(model).finish();
  }

  private initializer(name: string, tensor: onnx.ITensorProto): Value {
    if (!this.initializers.has(name)) this.initializers.set(name, tensor);
    return name;
  }

  private node(
    domain: string,
    opType: string,
    inputs: readonly Value[],
    outputs: readonly Value[],
    attributes: Readonly<Record<string, Attribute>>,
  ): Value {
    const first = outputs[0] as Value;
    this.nodes.push({
      name: `${first}/${opType}`,
      domain,
      opType,
      input: [...inputs],
      output: [...outputs],
      attribute: toAttributes(attributes),
    });
    return first;
  }
}

function toAttributes(attributes: Readonly<Record<string, Attribute>>): onnx.IAttributeProto[] {
  return Object.entries(attributes).map(([name, value]) => toAttribute(name, value));
}

function toAttribute(name: string, value: Attribute): onnx.IAttributeProto {
  if (typeof value === 'number') return { name, type: ATTRIBUTE.int, i: value };
  if (typeof value === 'string') return { name, type: ATTRIBUTE.string, s: new TextEncoder().encode(value) };
  if ('float' in value) return { name, type: ATTRIBUTE.float, f: value.float };
  return { name, type: ATTRIBUTE.ints, ints: [...value] };
}

function valueInfo(name: string, element: Element, shape: readonly (number | string)[]): onnx.IValueInfoProto {
  const dim = shape.map((size) => (typeof size === 'number' ? { dimValue: size } : { dimParam: size }));
  return { name, type: { tensorType: { elemType: ELEMENT[element], shape: { dim } } } };
}
