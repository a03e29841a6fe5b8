import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { OrtRuntime } from '../runtime/ort-runtime.js';
import { OrtSession } from '../runtime/ort-session.js';
import { GraphBuilder } from './graph-builder.js';

const COLUMNS = 2_048; // two pages: small constants are copied into the graph when it is optimized
const FILE = 'weights.bin';

it.each([2, 4, 8])(
  'given weights beyond %i GiB of their file, when the graph runs, then it computes with those',
  async (gibibytes) => {
    const folder = await mkdtemp(join(tmpdir(), 'hydra-large-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const offset = gibibytes * 2 ** 30 + 4_096;
    const weights = Float32Array.from({ length: COLUMNS }, (_, i) => i);
    const file = await open(join(folder, FILE), 'w'); // what is not written is a hole
    await file.write(weights, 0, weights.byteLength, offset);
    await file.close();
    const graph = new GraphBuilder();
    graph.input('x', 'float32', [COLUMNS]);
    const constant = graph.external('weights', 'float32', [COLUMNS], {
      file: FILE,
      offset,
      length: weights.byteLength,
    });
    graph.output(graph.op('Add', ['x', constant], 'y'), 'float32', [COLUMNS]);
    await writeFile(join(folder, 'model.onnx'), graph.encode());

    const runtime = OrtRuntime.open();
    const session = await OrtSession.load(runtime, join(folder, 'model.onnx'), { threads: 1 });
    onTestFinished(() => session.close().then(() => runtime.close()));
    const binding = session.createBinding();
    const y = new Float32Array(COLUMNS);
    binding.bindInput('x', new Float32Array(COLUMNS).fill(1), 'float32', [COLUMNS]);
    binding.bindOutput('y', y, 'float32', [COLUMNS]);
    await session.run(binding);
    expect(y).toEqual(weights.map((weight) => weight + 1));
  },
);
