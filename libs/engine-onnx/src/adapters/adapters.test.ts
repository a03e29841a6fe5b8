import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DecodeRow } from '#lib/engine';
import { compileModel } from '../compile/compile-model.js';
import type { CompiledModel, WeightsForm } from '../compiled-model.js';
import { OnnxModelRunner } from '../onnx-model-runner.js';
import { adapterGraphOf } from '../read-compiled-model.js';
import { GOLDEN, GOLDEN_MODEL, type GoldenCase } from '../testing/golden-adapters.js';

const NAMES = Object.keys(GOLDEN.adapters);
/** Of logits of up to 9. */
const MOST_ERROR = { fp32: 1e-3, int8: 0.5, int4: 3 };
const ROOM = { slots: 4, mostRank: 16 };
const signal = new AbortController().signal;

const storeFolder = mkdtempSync(join(tmpdir(), 'adapters-'));
const compiled = new Map<WeightsForm, CompiledModel>();
const opened: OnnxModelRunner[] = [];

beforeAll(async () => {
  const source = {
    kind: 'hf-folder',
    ...{ folder: GOLDEN_MODEL, id: GOLDEN_MODEL, origin: 'folder', bytes: 0, contentKey: 'llama' },
  } as const;
  for (const weights of ['fp32', 'int8', 'int4'] as const) {
    compiled.set(weights, await compileModel({ source, weights, storeFolder }));
  }
});
afterAll(async () => {
  for (const runner of opened) await runner.close();
  rmSync(storeFolder, { recursive: true });
});

async function load(weights: WeightsForm, threads = 1, room = ROOM): Promise<OnnxModelRunner> {
  const model = compiled.get(weights)!;
  const runner = await OnnxModelRunner.load(
    { ...model.manifest, path: model.graphPath },
    {
      ...{ threads, kvBytes: 8 << 20, numerics: weights === 'fp32' ? 'exact' : 'fast' },
      adapters: { graphs: { decode: adapterGraphOf(model)!, prefill: undefined }, ...room },
    },
  );
  opened.push(runner);
  return runner;
}

async function loadAdapter(runner: OnnxModelRunner, slot: number, name: string): Promise<void> {
  await loadAdapterFrom(runner, slot, join(GOLDEN_MODEL, 'adapters', name));
}

async function loadAdapterFrom(runner: OnnxModelRunner, slot: number, path: string): Promise<void> {
  const adapter = await runner.adapters!.open(path, signal);
  await adapter.load(slot, signal).finally(() => adapter.close());
}

/** A copy of an adapter with another `lora_alpha`. */
function ofAlpha(name: string, alpha: number): string {
  const to = mkdtempSync(join(storeFolder, 'adapter-'));
  cpSync(join(GOLDEN_MODEL, 'adapters', name), to, { recursive: true });
  const path = join(to, 'adapter_config.json');
  const config = JSON.parse(readFileSync(path, 'utf8')) as object;
  writeFileSync(path, JSON.stringify({ ...config, lora_alpha: alpha }));
  return to;
}

interface Sequence {
  readonly slot: number;
  readonly adapterSlot?: number | undefined;
  readonly golden: GoldenCase;
  tokens: number[];
  /** Logits of each token. */
  logits: Float32Array[];
}

function sequence(slot: number, golden: GoldenCase, adapterSlot?: number): Sequence {
  return { slot, adapterSlot, golden, tokens: [], logits: [] };
}

async function prefill(runner: OnnxModelRunner, sequence: Sequence): Promise<void> {
  const { slot, adapterSlot, golden } = sequence;
  const logits = await runner.prefill({ slot, adapterSlot, position: 0, tokenIds: golden.prompt, logitsFor: 'last' });
  note(sequence, logits!.data);
}

async function decode(runner: OnnxModelRunner, sequences: readonly Sequence[]): Promise<void> {
  const rows: DecodeRow[] = sequences.map(({ slot, adapterSlot, golden, tokens }) => {
    return { slot, adapterSlot, position: golden.prompt.length + tokens.length - 1, tokenId: tokens.at(-1)! };
  });
  const { data } = await runner.decode(rows);
  const { vocabularySize } = runner.limits;
  for (const [row, one] of sequences.entries()) {
    note(one, data.subarray(row * vocabularySize, (row + 1) * vocabularySize));
  }
}

function note(sequence: Sequence, logits: Float32Array): void {
  sequence.logits.push(logits.slice());
  sequence.tokens.push(Math.max(0, logits.indexOf(Math.max(...logits)))); // 0 where none is the largest: all are NaN
}

async function run(runner: OnnxModelRunner, sequences: readonly Sequence[]): Promise<void> {
  for (const one of sequences) await prefill(runner, one);
  while (sequences.some(({ golden, tokens }) => tokens.length < golden.greedy.length)) {
    await decode(
      runner,
      sequences.filter(({ golden, tokens }) => tokens.length < golden.greedy.length),
    );
  }
}

describe.each(['fp32', 'int8', 'int4'] as const)('adapters on the tiny llama in %s', (weights) => {
  let runner: OnnxModelRunner;
  beforeAll(async () => {
    runner = await load(weights);
    for (const [slot, name] of NAMES.entries()) await loadAdapter(runner, slot, name);
  });

  it.each(NAMES)(
    'given %s, when its prompts run, then they give the logits and tokens of the reference',
    async (name) => {
      for (const golden of GOLDEN.adapters[name]!.cases) {
        const one = sequence(0, golden, NAMES.indexOf(name));
        await run(runner, [one]);
        const worst = Math.max(...golden.top.map(([id, logit]) => Math.abs(one.logits[0]![id]! - logit)));
        expect(worst).toBeLessThan(MOST_ERROR[weights]);
        if (weights === 'fp32') expect(one.tokens).toEqual(golden.greedy);
      }
    },
  );

  it('given rows of all adapters and of none in one batch, then the base has the bits that it has without adapters', async () => {
    const alone = await load(weights);
    for (const [index, golden] of GOLDEN.cases.entries()) {
      const base = sequence(0, golden);
      const adapted = NAMES.map((name, at) => sequence(at + 1, GOLDEN.adapters[name]!.cases[index]!, at));
      await run(runner, [base, ...adapted]);
      const reference = sequence(0, golden);
      await run(alone, [reference]);
      if (weights !== 'fp32')
        expect(base.logits[0]).toEqual(reference.logits[0]); // later ones depend on the batch, adapters or not
      else expect(base.logits).toEqual(reference.logits);
      if (weights === 'fp32') for (const { tokens, golden: own } of adapted) expect(tokens).toEqual(own.greedy);
    }
  });
});

describe.each(['fp32', 'int8'] as const)('adapters of extreme scale on the tiny llama in %s', (weights) => {
  it('given one that is just finite beside rows of others, then theirs have the bits that they have beside a tame one; one that is not is refused', async () => {
    const results: Sequence[][] = [];
    for (const alpha of [8, 1e38]) {
      const runner = await load(weights);
      await loadAdapter(runner, 0, 'r4-qv');
      await loadAdapterFrom(runner, 1, ofAlpha('r8-all', alpha));
      const rows = [
        sequence(0, GOLDEN.cases[0]!),
        sequence(1, GOLDEN.adapters['r4-qv']!.cases[0]!, 0),
        sequence(2, GOLDEN.adapters['r8-all']!.cases[0]!, 1),
      ];
      for (const one of rows) await prefill(runner, one);
      for (let step = 0; step < 3; step++) await decode(runner, rows);
      await expect(loadAdapterFrom(runner, 2, ofAlpha('r8-all', 1e42))).rejects.toThrow(
        /not finite once they are scaled/,
      );
      const after = sequence(3, GOLDEN.cases[0]!);
      await prefill(runner, after);
      results.push([rows[0]!, rows[1]!, after]);
    }
    const [tame, extreme] = results.map((rows) => rows.map(({ logits }) => logits));
    expect(extreme).toEqual(tame);
    expect(extreme!.flat(2).every((logits) => logits.every(Number.isFinite))).toBe(true);
  });
});

describe('exact numerics with adapters', () => {
  /** In parts of an even number of tokens, as the step loop cuts prompts. */
  async function prefillInParts(runner: OnnxModelRunner, one: Sequence, tokens: number): Promise<void> {
    const { slot, adapterSlot, golden } = one;
    for (let position = 0; position < golden.prompt.length; position += tokens) {
      const tokenIds = golden.prompt.slice(position, position + tokens);
      const logits = await runner.prefill({ slot, adapterSlot, position, tokenIds, logitsFor: 'last' });
      if (position + tokens >= golden.prompt.length) note(one, logits!.data);
    }
  }

  it.each([1, 2])(
    'given an adapter that is loaded alone or beside others of larger rank, alone or in a batch, in any chunks, on %s threads, then its rows have the same bits',
    async (threads) => {
      const crowded = await load('fp32', threads);
      for (const [at, name] of [...NAMES].reverse().entries()) await loadAdapter(crowded, at, name);
      const slotOf = (name: string) => NAMES.length - 1 - NAMES.indexOf(name);
      for (const name of NAMES) {
        const alone = await load('fp32', 1);
        await loadAdapter(alone, 3, name);
        for (const [index, golden] of GOLDEN.adapters[name]!.cases.entries()) {
          const reference = sequence(0, golden, 3);
          await run(alone, [reference]);
          const one = sequence(5, golden, slotOf(name));
          const others = [
            sequence(4, GOLDEN.cases[index]!),
            ...NAMES.map((other, at) => sequence(6 + at, GOLDEN.adapters[other]!.cases[index]!, slotOf(other))),
          ];
          await prefillInParts(crowded, one, 2 + 2 * (index % 3));
          for (const other of others) await prefill(crowded, other);
          while (one.tokens.length < golden.greedy.length) await decode(crowded, [others[0]!, one, ...others.slice(1)]);
          expect(one.logits).toEqual(reference.logits);
        }
      }
    },
  );
});

describe('adapters that come and go', () => {
  it('given a running sequence, when adapters come, go and are replaced, then it goes on with the same bits', async () => {
    const runner = await load('fp32');
    const golden = GOLDEN.cases[0]!;
    const reference = sequence(0, golden);
    await run(runner, [reference]);
    await loadAdapter(runner, 1, 'r4-qv');
    const base = sequence(0, golden);
    const adapted = sequence(1, GOLDEN.adapters['r4-qv']!.cases[0]!, 1);
    await prefill(runner, base);
    await prefill(runner, adapted);
    const other = sequence(2, GOLDEN.adapters['r16-rs']!.cases[0]!, 0);
    while (base.tokens.length < golden.greedy.length) {
      if (base.tokens.length === 4) await loadAdapter(runner, 0, 'r16-rs'); // needs more room than there is
      if (base.tokens.length === 8) await run(runner, [other]);
      if (base.tokens.length === 12) await runner.adapters!.unload(0);
      await decode(runner, [base, adapted]);
    }
    expect(base.logits).toEqual(reference.logits);
    expect(adapted.tokens).toEqual(adapted.golden.greedy);
    expect(other.tokens).toEqual(other.golden.greedy);
    await runner.adapters!.unload(1);
    const after = sequence(0, golden);
    await run(runner, [after]);
    expect(after.logits).toEqual(reference.logits);
  });

  it('given a slot that another adapter had, when one with fewer modules comes, then nothing of the other is left', async () => {
    const runner = await load('fp32');
    for (const name of ['r8-all', 'r4-qv', 'r16-rs']) {
      await loadAdapter(runner, 2, name);
      const one = sequence(0, GOLDEN.adapters[name]!.cases[1]!, 2);
      await run(runner, [one]);
      expect(one.tokens).toEqual(one.golden.greedy);
      await runner.adapters!.unload(2);
    }
  });

  it('given an adapter that cannot be added, when opened, then it says why and the model is as it was', async () => {
    const runner = await load('fp32', 1, { slots: 1, mostRank: 8 });
    await expect(loadAdapter(runner, 0, 'r16-rs')).rejects.toThrow(/rank 16.*up to 8/);
    await expect(loadAdapter(runner, 0, 'nowhere')).rejects.toThrow(/adapter_config.json cannot be read \(ENOENT\)/);
    const one = sequence(0, GOLDEN.cases[0]!);
    await run(runner, [one]);
    expect(one.tokens).toEqual(one.golden.greedy);
  });

  it('given a graph for adapters that ONNX Runtime cannot open, when one is loaded, then the reason names its folder, and the model is as it was', async () => {
    const folder = mkdtempSync(join(storeFolder, 'damaged-'));
    const model = compiled.get('fp32')!;
    cpSync(dirname(model.graphPath), folder, { recursive: true });
    const graph = adapterGraphOf(model)!;
    const damaged = join(folder, basename(graph.path));
    writeFileSync(damaged, 'no graph');
    const runner = await OnnxModelRunner.load(
      { ...model.manifest, path: model.graphPath },
      {
        ...{ threads: 1, kvBytes: 8 << 20, numerics: 'exact' },
        adapters: { graphs: { decode: { ...graph, path: damaged }, prefill: undefined }, ...ROOM },
      },
    );
    opened.push(runner);
    const source = join(GOLDEN_MODEL, 'adapters', 'r4-qv');
    await expect(loadAdapterFrom(runner, 0, source)).rejects.toThrow(
      `The adapter in ${source} cannot be loaded: ONNX Runtime CreateSession: `,
    );
    const one = sequence(0, GOLDEN.cases[0]!);
    await run(runner, [one]);
    expect(one.tokens).toEqual(one.golden.greedy);
  });
});
