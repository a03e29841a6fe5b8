/**
 * `npm run --silent bench:adapters [-- --shape 135m --rank 16 --weights int4,fp32 --turns 9 --threads 2]`: what LoRA adapters on all linear layers cost a pass.
 * Weights are random. Each turn runs every case once, in an order that changes, so that what else the machine does meets all of them.
 * Prints the median of each case in milliseconds, and its ratio to the graph without adapters, turn by turn.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { adapterGraphOf, compileModel, OnnxModelRunner } from '#lib/engine-onnx';
import { writeRandomCheckpoint } from './sizes/random-checkpoint.mjs';
import { SHAPES, tensorsOf } from './sizes/shapes.mjs';

const { values: options } = parseArgs({
  options: {
    shape: { type: 'string', default: '135m' },
    rank: { type: 'string', default: '16' },
    weights: { type: 'string', default: 'int4,int8,fp32' },
    turns: { type: 'string', default: '9' },
    threads: { type: 'string', default: '2' },
    folder: { type: 'string', default: join(tmpdir(), 'hydra-bench-adapters') },
  },
});
const LABELS = {
  none: 'none, adapters are loaded',
  one: 'one adapter',
  half: 'one adapter and none',
  four: 'four adapters',
};
const ADAPTERS = 4;
const ROWS = 8;
const CHUNK_TOKENS = 256;
const HELD_TOKENS = 300;
const STEPS = 6;
const signal = new AbortController().signal;
const config = SHAPES[options.shape];
const rank = Number(options.rank);

const checkpoint = join(options.folder, options.shape);
await writeRandomCheckpoint(checkpoint, config);
const adapterFolders = Array.from({ length: ADAPTERS }, (_, index) => writeAdapter(index));
const rows = (count, adapterOf) =>
  Array.from({ length: count }, (_, slot) => ({
    slot,
    position: HELD_TOKENS,
    tokenId: 7 + slot,
    adapterSlot: adapterOf(slot),
  }));
const none = () => undefined;
const passes = {
  'decode, 1 row': { none: (runner) => runner.decode(rows(1, none)), one: (runner) => runner.decode(rows(1, () => 2)) },
  [`decode, ${ROWS} rows`]: {
    none: (runner) => runner.decode(rows(ROWS, none)),
    one: (runner) => runner.decode(rows(ROWS, () => 2)),
    half: (runner) => runner.decode(rows(ROWS, (slot) => (slot % 2 === 0 ? 2 : undefined))),
    four: (runner) => runner.decode(rows(ROWS, (slot) => slot % ADAPTERS)),
  },
  [`prompt of ${CHUNK_TOKENS}`]: {
    none: (runner) => runner.prefill(chunk(undefined)),
    one: (runner) => runner.prefill(chunk(2)),
  },
};

for (const weights of options.weights.split(',')) {
  const source = {
    kind: 'hf-folder',
    folder: checkpoint,
    id: checkpoint,
    origin: 'folder',
    bytes: 0,
    contentKey: options.shape,
  };
  const compiled = await compileModel({
    source,
    weights,
    storeFolder: join(options.folder, 'compiled'),
    contextTokens: 1024,
  });
  const load = () =>
    OnnxModelRunner.load(
      { ...compiled.manifest, path: compiled.graphPath },
      {
        ...{ threads: Number(options.threads), kvBytes: 1 << 29, chunkTokens: CHUNK_TOKENS },
        adapters: { graphs: { decode: adapterGraphOf(compiled), prefill: undefined }, slots: ADAPTERS, mostRank: rank },
      },
    );
  const plain = await load();
  const adapted = await load();
  for (const [slot, folder] of adapterFolders.entries()) {
    const adapter = await adapted.adapters.open(folder, signal);
    const startedMs = performance.now();
    await adapter.load(slot, signal);
    console.error(`${weights}: adapter ${slot} loaded in ${Math.round(performance.now() - startedMs)} ms`);
    await adapter.close();
  }
  for (const runner of [plain, adapted]) {
    for (let slot = 0; slot < ROWS; slot++) {
      for (let position = 0; position < HELD_TOKENS; position += 100) {
        await runner.prefill({ slot, position, tokenIds: new Array(100).fill(5), logitsFor: 'none' });
      }
    }
  }
  console.log(
    `\n**${weights}**, rank ${rank}\n\n| pass | rows of | median ms | of the graph alone |\n|---|---|---:|---:|`,
  );
  for (const [name, cases] of Object.entries(passes)) {
    const all = [
      ['graph alone', () => cases.none(plain)],
      ...Object.entries(cases).map(([key, run]) => [LABELS[key], () => run(adapted)]),
    ];
    for (const [label, times, ratios] of await inTurns(all)) {
      console.log(`| ${name} | ${label} | ${median(times).toFixed(2)} | ${median(ratios).toFixed(3)} |`);
    }
  }
  await plain.close();
  await adapted.close();
}

async function inTurns(cases) {
  const results = cases.map(([label]) => [label, [], []]);
  for (const [, run] of cases) await run();
  for (let turn = 0; turn < Number(options.turns); turn++) {
    const meanMs = [];
    for (let at = 0; at < cases.length; at++) {
      const index = (at + turn) % cases.length;
      const startMs = performance.now();
      for (let step = 0; step < STEPS; step++) await cases[index][1]();
      meanMs[index] = (performance.now() - startMs) / STEPS;
    }
    for (const [index, ms] of meanMs.entries()) {
      results[index][1].push(ms);
      results[index][2].push(ms / meanMs[0]);
    }
  }
  return results;
}

function chunk(adapterSlot) {
  const tokenIds = Array.from({ length: CHUNK_TOKENS }, (_, at) => 3 + (at % 900));
  return { slot: ROWS, position: 0, tokenIds, logitsFor: 'last', adapterSlot };
}

function median(values) {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
}

/** An adapter on all linear layers, as PEFT writes it. */
function writeAdapter(index) {
  const folder = join(options.folder, `${options.shape}-r${rank}-${index}`);
  mkdirSync(folder, { recursive: true });
  const header = {};
  const parts = [];
  let offset = 0;
  const add = (name, shape) => {
    const values = Float32Array.from({ length: shape[0] * shape[1] }, () => (Math.random() - 0.5) / 50);
    header[`base_model.model.${name}`] = { dtype: 'F32', shape, data_offsets: [offset, offset + values.byteLength] };
    offset += values.byteLength;
    parts.push(Buffer.from(values.buffer));
  };
  for (const [name, [rows, columns]] of tensorsOf(config)) {
    const module = /^(.*_proj)\.weight$/.exec(name)?.[1];
    if (module === undefined) continue;
    add(`${module}.lora_A.weight`, [rank, columns]);
    add(`${module}.lora_B.weight`, [rows, rank]);
  }
  const text = Buffer.from(JSON.stringify(header));
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(text.length));
  writeFileSync(join(folder, 'adapter_model.safetensors'), Buffer.concat([prefix, text, ...parts]));
  const peft = { peft_type: 'LORA', r: rank, lora_alpha: rank, target_modules: 'all-linear', bias: 'none' };
  writeFileSync(join(folder, 'adapter_config.json'), JSON.stringify(peft));
  return folder;
}
