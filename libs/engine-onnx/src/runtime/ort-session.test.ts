import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import onnxProto, { type onnx as Onnx } from 'onnx-proto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { OrtRuntime } from './ort-runtime.js';
import { OrtSession } from './ort-session.js';

const { onnx } = onnxProto;
const { FLOAT } = onnx.TensorProto.DataType;

function floats(name: string, shape: (string | number)[]): Onnx.IValueInfoProto {
  const dim = shape.map((size) => (typeof size === 'string' ? { dimParam: size } : { dimValue: size }));
  return { name, type: { tensorType: { elemType: FLOAT, shape: { dim } } } };
}

/** `sum = left + right`, all [N, 4]. */
function additionModel(): Uint8Array {
  return onnx.ModelProto.encode({
    irVersion: 10,
    opsetImport: [{ domain: '', version: 21 }],
    graph: {
      name: 'addition',
      node: [{ opType: 'Add', input: ['left', 'right'], output: ['sum'] }],
      input: [floats('left', ['N', 4]), floats('right', ['N', 4])],
      output: [floats('sum', ['N', 4])],
    },
  }).finish();
}

describe('an ONNX Runtime session', () => {
  const folder = mkdtempSync(join(tmpdir(), 'ort-session-'));
  const modelPath = join(folder, 'addition.onnx');
  let runtime: OrtRuntime;
  beforeAll(() => {
    writeFileSync(modelPath, additionModel());
    runtime = OrtRuntime.open();
  });
  afterAll(() => {
    runtime.close();
    rmSync(folder, { recursive: true });
  });

  it('knows the names of its inputs and outputs', async () => {
    const session = await OrtSession.load(runtime, modelPath, { threads: 1 });
    expect(session.inputNames).toEqual(['left', 'right']);
    expect(session.outputNames).toEqual(['sum']);
    await session.close();
  });

  it('reads bound inputs and writes the bound output, again after they change', async () => {
    const session = await OrtSession.load(runtime, modelPath, { threads: 2 });
    const binding = session.createBinding();
    const left = Float32Array.of(1, 2, 3, 4);
    const sum = new Float32Array(4);
    binding.bindInput('left', left, 'float32', [1, 4]);
    binding.bindInput('right', Float32Array.of(10, 20, 30, 40), 'float32', [1, 4]);
    binding.bindOutput('sum', sum, 'float32', [1, 4]);
    await session.run(binding);
    expect([...sum]).toEqual([11, 22, 33, 44]);
    left.fill(0);
    await session.run(binding);
    expect([...sum]).toEqual([10, 20, 30, 40]);
    await session.close();
  });

  it('given the same memory bound again, or other memory, or the same in another shape, when run, then what is bound last is what is read and written', async () => {
    const session = await OrtSession.load(runtime, modelPath, { threads: 1 });
    const binding = session.createBinding();
    const [left, sum] = [new Float32Array(8), new Float32Array(8)];
    const right = Float32Array.of(10, 20, 30, 40, 50, 60, 70, 80);
    /** One row, or two, of these arrays. */
    const run = (rows: number, inputs = left) => {
      binding.bindInput('left', inputs.subarray(0, rows * 4), 'float32', [rows, 4]);
      binding.bindInput('right', right.subarray(0, rows * 4), 'float32', [rows, 4]);
      binding.bindOutput('sum', sum.subarray(0, rows * 4), 'float32', [rows, 4]);
      sum.fill(0);
      session.runHere(binding);
      return [...sum];
    };
    expect(run(1)).toEqual([10, 20, 30, 40, 0, 0, 0, 0]);
    left.fill(1);
    expect(run(1)).toEqual([11, 21, 31, 41, 0, 0, 0, 0]);
    expect(run(2)).toEqual([11, 21, 31, 41, 51, 61, 71, 81]);
    expect(run(1, new Float32Array(8).fill(2))).toEqual([12, 22, 32, 42, 0, 0, 0, 0]);
    expect(run(1)).toEqual([11, 21, 31, 41, 0, 0, 0, 0]);
    await session.close();
  });

  it('updates a tensor in place that is bound as input and output', async () => {
    const session = await OrtSession.load(runtime, modelPath, { threads: 1 });
    const binding = session.createBinding();
    const total = Float32Array.of(1, 1, 1, 1);
    binding.bindInPlace('left', 'sum', total, 'float32', [1, 4]);
    binding.bindInput('right', Float32Array.of(1, 2, 3, 4), 'float32', [1, 4]);
    await session.run(binding);
    await session.run(binding);
    expect([...total]).toEqual([3, 5, 7, 9]);
    await session.close();
  });

  it('leaves the event loop free while it loads and runs', async () => {
    let ticks = 0;
    const timer = setInterval(() => ticks++, 0);
    const session = await OrtSession.load(runtime, modelPath, { threads: 1 });
    const binding = session.createBinding();
    const rows = 200_000;
    const memory = new Float32Array(rows * 4);
    binding.bindInput('left', memory, 'float32', [rows, 4]);
    binding.bindInPlace('right', 'sum', new Float32Array(rows * 4), 'float32', [rows, 4]);
    for (let run = 0; run < 50; run++) await session.run(binding);
    clearInterval(timer);
    expect(ticks).toBeGreaterThan(0);
    await session.close();
  });

  it('given a file that is not there, when loaded, then the error names it', async () => {
    await expect(OrtSession.load(runtime, join(folder, 'absent.onnx'), { threads: 1 })).rejects.toMatchObject({
      name: 'OrtError',
      call: 'CreateSession',
      code: 'no-such-file',
      message: expect.stringContaining('absent.onnx'),
    });
  });

  it('given a file that is no model, when loaded, then it is refused', async () => {
    const path = join(folder, 'text.onnx');
    writeFileSync(path, 'this is not a model');
    await expect(OrtSession.load(runtime, path, { threads: 1 })).rejects.toMatchObject({ code: 'invalid-protobuf' });
  });

  it('given a wrong shape or name, when bound and run, then an OrtError says so and the session still works', async () => {
    const session = await OrtSession.load(runtime, modelPath, { threads: 1 });
    const binding = session.createBinding();
    binding.bindInput('left', new Float32Array(6), 'float32', [2, 3]);
    binding.bindInput('right', new Float32Array(6), 'float32', [2, 3]);
    binding.bindOutput('sum', new Float32Array(6), 'float32', [2, 3]);
    await expect(session.run(binding)).rejects.toMatchObject({ code: 'invalid-argument' });
    expect(() => binding.bindInput('middle', new Float32Array(4), 'float32', [1, 4])).toThrow(
      "The model has no input 'middle'; it has left, right.",
    );
    expect(() => binding.bindInput('left', new Float32Array(4), 'float32', [2, 4])).toThrow(
      /CreateTensorWithDataAsOrtValue/,
    );
    binding.bindInput('left', Float32Array.of(1, 1, 1, 1), 'float32', [1, 4]);
    binding.bindInput('right', Float32Array.of(1, 1, 1, 1), 'float32', [1, 4]);
    const sum = new Float32Array(4);
    binding.bindOutput('sum', sum, 'float32', [1, 4]);
    await session.run(binding);
    expect([...sum]).toEqual([2, 2, 2, 2]);
    await session.close();
  });

  it('given a run on the calling thread, when it returns, then its outputs are there; none begins while another runs', async () => {
    const session = await OrtSession.load(runtime, modelPath, { threads: 1 });
    const binding = session.createBinding();
    binding.bindInput('left', Float32Array.of(1, 2, 3, 4), 'float32', [1, 4]);
    binding.bindInput('right', Float32Array.of(5, 6, 7, 8), 'float32', [1, 4]);
    const sum = new Float32Array(4);
    binding.bindOutput('sum', sum, 'float32', [1, 4]);
    session.runHere(binding);
    expect([...sum]).toEqual([6, 8, 10, 12]);
    const run = session.run(binding);
    expect(() => session.runHere(binding)).toThrow('The session is running.');
    await run;
    session.runHere(binding);
    binding.bindInput('left', new Float32Array(12), 'float32', [3, 4]);
    expect(() => session.runHere(binding)).toThrow(expect.objectContaining({ code: 'invalid-argument' }));
    await session.close();
    expect(() => session.runHere(binding)).toThrow('The session is closed.');
  });

  it('given a session that runs, when closed, then it waits, and later runs are refused', async () => {
    const session = await OrtSession.load(runtime, modelPath, { threads: 1 });
    const binding = session.createBinding();
    binding.bindInput('left', new Float32Array(4), 'float32', [1, 4]);
    binding.bindInput('right', new Float32Array(4), 'float32', [1, 4]);
    binding.bindOutput('sum', new Float32Array(4), 'float32', [1, 4]);
    const run = session.run(binding).then(
      () => 'done',
      (error: Error) => error.name,
    );
    await session.close();
    expect(await run).toBeOneOf(['done', 'OrtError']);
    expect(() => session.run(binding)).toThrow('The session is closed.');
    await session.close();
  });

  it('given 200 sessions loaded, run and closed, then memory does not grow with them', async () => {
    const memory = new Float32Array(250_000 * 4);
    const once = async () => {
      const session = await OrtSession.load(runtime, modelPath, { threads: 2 });
      const binding = session.createBinding();
      binding.bindInput('left', memory, 'float32', [250_000, 4]);
      binding.bindInPlace('right', 'sum', memory, 'float32', [250_000, 4]);
      await session.run(binding);
      await session.close();
    };
    for (let warmUp = 0; warmUp < 20; warmUp++) await once();
    const before = process.memoryUsage.rss();
    for (let session = 0; session < 200; session++) await once();
    expect(process.memoryUsage.rss() - before).toBeLessThan(64 * 1024 * 1024);
  });

  it('given the CUDA provider on a machine without its libraries, when loaded, then the error says what is missing', async () => {
    const load = OrtSession.load(runtime, modelPath, { threads: 1, executionProvider: { kind: 'cuda', deviceId: 0 } });
    await expect(load).rejects.toMatchObject({ name: 'OrtError', message: expect.stringMatching(/cuda/i) });
  });
});
