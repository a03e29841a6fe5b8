import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type Checkpoint, rowBytes, type TensorDtype, toFloats } from '#lib/models';
import { arbitraryBlocks } from '../testing/arbitrary-blocks.js';
import { floatTensor, MemoryCheckpoint, type MemoryTensor } from '../testing/memory-checkpoint.js';
import { CheckpointTensors } from './checkpoint-tensors.js';
import { type BlockForm, DecoderBlocks } from './decoder-blocks.js';
import { GraphBuilder } from './graph-builder.js';
import { WeightStore } from './weight-store.js';
import { WeightsFile } from './weights-file.js';

const COLUMNS = 96;
const ROWS = [6, 10] as const;

/** A graph of nothing but `build`, from float32 `x` [T, COLUMNS] to float32 `y` [T, rows]. */
async function compiled(
  checkpoint: Checkpoint,
  form: BlockForm,
  build: (blocks: DecoderBlocks, graph: GraphBuilder) => Promise<void>,
): Promise<InferenceSession> {
  const folder = await mkdtemp(join(tmpdir(), 'hydra-blocks-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const graph = new GraphBuilder();
  const file = await WeightsFile.open(folder);
  const tensors = new CheckpointTensors(checkpoint, () => undefined, undefined);
  await build(new DecoderBlocks(graph, new WeightStore(tensors, graph, file), form), graph);
  await file.flush();
  await file.close();
  const path = join(folder, 'model.onnx');
  await writeFile(path, graph.encode());
  return InferenceSession.create(path, { intraOpNumThreads: 1, logSeverityLevel: 3 });
}

const linear = (checkpoint: Checkpoint, form: BlockForm, rows: number) =>
  compiled(checkpoint, form, async (blocks, graph) => {
    graph.input('x', 'float32', ['T', COLUMNS]);
    const y = await blocks.linear('product', 'x', ['first', 'second'], { isBiased: true });
    graph.output(graph.op('Identity', [y], 'y'), 'float32', ['T', rows]);
  });

/** Multiplies the unit vectors: activations of one 1 and zeros survive their quantization, so the weights come out. */
async function weightsOf(session: InferenceSession, rows: number): Promise<number[][]> {
  const units = new Float32Array(COLUMNS * COLUMNS);
  for (let i = 0; i < COLUMNS; i++) units[i * COLUMNS + i] = 1;
  const { y } = await session.run({ x: new Tensor('float32', units, [COLUMNS, COLUMNS]) });
  const columns = y!.data as Float32Array;
  return Array.from({ length: rows }, (_, row) =>
    Array.from({ length: COLUMNS }, (_, column) => columns[column * rows + row]!),
  );
}

/** Blocks whose numbers are of the size of real weights. */
function sampleBlocks(dtype: 'Q8_0' | 'Q4_0' | 'Q4_1', rows: number, seed: number): MemoryTensor {
  const count = (rows * COLUMNS) / 32;
  const [bytes] = fc.sample(arbitraryBlocks(dtype, { min: count, max: count }), { numRuns: 1, seed });
  const stride = rowBytes(dtype, 32);
  const view = new DataView(bytes!.buffer);
  for (let at = 0; at < bytes!.length; at += stride) {
    view.setFloat16(at, 0.01 + 0.001 * (at % 7), true);
    if (dtype === 'Q4_1') view.setFloat16(at + 2, -0.05 - 0.01 * (at % 5), true);
  }
  return { dtype, shape: [rows, COLUMNS], bytes: bytes! };
}

function rowsOfTensors(tensors: readonly MemoryTensor[]): number[][] {
  return tensors.flatMap(({ dtype, shape, bytes }) => {
    const values = toFloats(dtype as TensorDtype, bytes, shape[0]! * shape[1]!);
    return Array.from({ length: shape[0]! }, (_, row) => [...values.subarray(row * COLUMNS, (row + 1) * COLUMNS)]);
  });
}

const largestDifference = (a: readonly number[][], b: readonly number[][]) =>
  Math.max(...a.flatMap((row, i) => row.map((value, j) => Math.abs(value - b[i]![j]!))));

describe('DecoderBlocks.linear', () => {
  it.each([
    ['fp32', 'Q8_0', 1e-6],
    ['fp32', 'Q4_1', 1e-6],
    ['int8', 'Q8_0', 1e-6],
    ['int8', 'Q4_0', 1e-6],
    ['int4', 'Q4_0', 1e-6],
    ['int4', 'Q4_1', 1e-6],
    // A minimum moves to the grid of steps of scale / 17, the largest scale here is 0.016.
    ['int8', 'Q4_1', 0.016 / 17 / 2 + 1e-6],
  ] as const)(
    'given %s of two %s weights packed, when run, then the weights are those of the file within %f',
    async (form, dtype, tolerance) => {
      const [first, second] = [sampleBlocks(dtype, ROWS[0], 1), sampleBlocks(dtype, ROWS[1], 2)];
      const session = await linear(new MemoryCheckpoint({ 'first.weight': first, 'second.weight': second }), form, 16);
      const found = await weightsOf(session, 16);
      expect(largestDifference(found, rowsOfTensors([first, second]))).toBeLessThan(tolerance);
    },
  );

  it.each(['fp32', 'int8', 'int4'] as const)('given biases, when run in %s, then they are added', async (form) => {
    const zeros = (rows: number) => floatTensor([rows, COLUMNS], new Float32Array(rows * COLUMNS));
    const checkpoint = new MemoryCheckpoint({
      'first.weight': zeros(ROWS[0]),
      'second.weight': zeros(ROWS[1]),
      'first.bias': floatTensor(
        [ROWS[0]],
        Array.from({ length: ROWS[0] }, (_, i) => i),
      ),
      'second.bias': floatTensor(
        [ROWS[1]],
        Array.from({ length: ROWS[1] }, (_, i) => 100 + i),
      ),
    });
    const found = await weightsOf(await linear(checkpoint, form, 16), 16);
    expect(found.map((row) => row[0])).toEqual([0, 1, 2, 3, 4, 5, 100, 101, 102, 103, 104, 105, 106, 107, 108, 109]);
  });

  it('given a bias for one of two packed weights, when compiled, then the missing one is named', async () => {
    const ones = (rows: number) => floatTensor([rows, COLUMNS], new Float32Array(rows * COLUMNS).fill(1));
    const checkpoint = new MemoryCheckpoint({
      'first.weight': ones(2),
      'second.weight': ones(2),
      'first.bias': floatTensor([2], [1, 2]),
    });
    await expect(linear(checkpoint, 'fp32', 4)).rejects.toThrow('The checkpoint has no tensor second.bias.');
  });

  it.each(['fp32', 'int8', 'int4'] as const)(
    'given a weight that is not finite, when compiled to %s, then it is named',
    async (form) => {
      const values = new Float32Array(2 * COLUMNS).fill(1);
      values[7] = Number.NaN;
      const checkpoint = new MemoryCheckpoint({
        'first.weight': floatTensor([2, COLUMNS], values),
        'second.weight': floatTensor([2, COLUMNS], values),
      });
      await expect(linear(checkpoint, form, 4)).rejects.toThrow(
        'The tensor first.weight has elements that are not finite.',
      );
    },
  );

  it('given rows that are no multiple of 32, when compiled to int8, then fp32 is recommended', async () => {
    const narrow = floatTensor([2, 40], new Float32Array(80).fill(1));
    const checkpoint = new MemoryCheckpoint({ 'first.weight': narrow, 'second.weight': narrow });
    await expect(linear(checkpoint, 'int8', 4)).rejects.toThrow(
      'The tensor first.weight has rows of 40 elements; int8, int4 and w8a8 weights need a multiple of 32: use fp32.',
    );
  });
});

describe('DecoderBlocks.embedding', () => {
  const VOCABULARY = 8;

  it.each([
    ['fp32', 'tied'],
    ['fp32', 'untied'],
    ['int8', 'tied'],
    ['int4', 'untied'],
  ] as const)(
    'given Q8_0 in %s, %s, when ids are looked up and multiplied back, then both are the values of the file',
    async (form, tie) => {
      const embedding = sampleBlocks('Q8_0', VOCABULARY, 3);
      const head = tie === 'tied' ? embedding : sampleBlocks('Q8_0', VOCABULARY, 4);
      const session = await compiled(new MemoryCheckpoint({ embedding, head }), form, async (blocks, graph) => {
        graph.input('ids', 'int64', ['B', 'S']);
        graph.input('hidden', 'float32', ['G', COLUMNS]);
        const vocabulary = await blocks.embedding('embedding', tie === 'tied' ? undefined : 'head');
        graph.output(vocabulary.embed('ids'), 'float32', ['B', 'S', COLUMNS]);
        graph.output(await vocabulary.logits('hidden'), 'float32', ['G', VOCABULARY]);
      });
      const ids = new Tensor(
        'int64',
        BigInt64Array.from({ length: VOCABULARY }, (_, i) => BigInt(i)),
        [1, VOCABULARY],
      );
      const units = new Float32Array(COLUMNS * COLUMNS);
      for (let i = 0; i < COLUMNS; i++) units[i * COLUMNS + i] = 1;
      const { embedded, logits } = await session.run({ ids, hidden: new Tensor('float32', units, [COLUMNS, COLUMNS]) });
      const rows = (data: Float32Array, at: (row: number, column: number) => number) =>
        Array.from({ length: VOCABULARY }, (_, row) =>
          Array.from({ length: COLUMNS }, (_, column) => data[at(row, column)]!),
        );
      const lookedUp = rows(embedded!.data as Float32Array, (row, column) => row * COLUMNS + column);
      const multiplied = rows(logits!.data as Float32Array, (row, column) => column * VOCABULARY + row);
      expect(largestDifference(lookedUp, rowsOfTensors([embedding]))).toBeLessThan(1e-6);
      expect(largestDifference(multiplied, rowsOfTensors([head]))).toBeLessThan(1e-6);
    },
  );
});
