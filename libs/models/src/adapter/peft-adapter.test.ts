import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { type ModuleShape, PeftAdapter } from './peft-adapter.js';

const ADAPTERS = fileURLToPath(new URL('../../../../test/data/models/llama/adapters', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'peft-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** As the tiny Llama has them. */
const KNOWN = new Map<string, ModuleShape>();
for (let layer = 0; layer < 3; layer++) {
  const at = `model.layers.${layer}`;
  const add = (name: string, outputs: number, inputs: number) => KNOWN.set(`${at}.${name}`, { inputs, outputs });
  for (const [name, outputs, inputs] of shapesOf()) add(name, outputs, inputs);
}

function shapesOf(): [string, number, number][] {
  const config = JSON.parse(readFileSync(join(ADAPTERS, '..', 'config.json'), 'utf8')) as Record<string, number>;
  const hidden = config['hidden_size']!;
  const middle = config['intermediate_size']!;
  const headDim = config['head_dim'] ?? hidden / config['num_attention_heads']!;
  const [queries, keys] = [config['num_attention_heads']! * headDim, config['num_key_value_heads']! * headDim];
  return [
    ['self_attn.q_proj', queries, hidden],
    ['self_attn.k_proj', keys, hidden],
    ['self_attn.v_proj', keys, hidden],
    ['self_attn.o_proj', hidden, queries],
    ['mlp.gate_proj', middle, hidden],
    ['mlp.up_proj', middle, hidden],
    ['mlp.down_proj', hidden, middle],
  ];
}

/** A copy of an adapter with another configuration. */
function changed(name: string, config: object): string {
  const to = mkdtempSync(join(folder, 'adapter-'));
  cpSync(join(ADAPTERS, name), to, { recursive: true });
  const path = join(to, 'adapter_config.json');
  writeFileSync(path, JSON.stringify({ ...(JSON.parse(readFileSync(path, 'utf8')) as object), ...config }));
  return to;
}

/** A small adapter of tensors that are given, in float32. */
function written(tensors: Readonly<Record<string, [number[], number[]]>>, config: object = {}): string {
  const to = mkdtempSync(join(folder, 'adapter-'));
  const header: Record<string, unknown> = {};
  const parts: Buffer[] = [];
  let offset = 0;
  for (const [name, [shape, values]] of Object.entries(tensors)) {
    const bytes = Buffer.from(Float32Array.from(values).buffer);
    header[name] = { dtype: 'F32', shape, data_offsets: [offset, offset + bytes.length] };
    offset += bytes.length;
    parts.push(bytes);
  }
  const text = Buffer.from(JSON.stringify(header));
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(text.length));
  writeFileSync(join(to, 'adapter_model.safetensors'), Buffer.concat([prefix, text, ...parts]));
  const base = { peft_type: 'LORA', r: 1, lora_alpha: 2, target_modules: ['a.q', 'b.q'] };
  writeFileSync(join(to, 'adapter_config.json'), JSON.stringify({ ...base, ...config }));
  return to;
}

const SMALL = new Map([
  ['a.q', { inputs: 3, outputs: 2 }],
  ['b.q', { inputs: 3, outputs: 2 }],
]);
const PAIR = (module: string, rank = 1): Record<string, [number[], number[]]> => ({
  [`base_model.model.${module}.lora_A.weight`]: [[rank, 3], Array.from({ length: rank * 3 }, (_, at) => at)],
  [`base_model.model.${module}.lora_B.weight`]: [[2, rank], Array.from({ length: rank * 2 }, (_, at) => -at)],
});

async function open(path: string, known: ReadonlyMap<string, ModuleShape> = KNOWN, mostRank = 16) {
  const adapter = await PeftAdapter.open(path, known, mostRank);
  await adapter.close();
  return adapter;
}

describe('PeftAdapter', () => {
  it.each([
    ['r4-qv', 4, 8 / 4, 2],
    ['r8-all', 8, 16 / 8, 7],
    ['r16-rs', 16, 16 / Math.sqrt(16), 3],
  ])(
    'given %s as PEFT wrote it, when read, then it has rank, scale and pairs of matrices',
    async (name, rank, scale, each) => {
      const adapter = await PeftAdapter.open(join(ADAPTERS, name), KNOWN, 16);
      expect(adapter.rank).toBe(rank);
      expect(adapter.version).toMatch(/^[0-9a-f]{64}$/);
      const modules = [...adapter.modules];
      expect(modules.length % each).toBe(0);
      for (const module of modules) {
        const pair = await adapter.read(module);
        const { inputs, outputs } = KNOWN.get(module)!;
        expect(pair).toMatchObject({ rank, scale });
        expect([pair.a.length, pair.b.length]).toEqual([rank * inputs, outputs * rank]);
      }
      await adapter.close();
    },
  );

  it('given other content, then its version is another; given the same content elsewhere, then it is the same', async () => {
    const { version } = await open(join(ADAPTERS, 'r4-qv'));
    const copy = mkdtempSync(join(folder, 'copy-'));
    cpSync(join(ADAPTERS, 'r4-qv'), copy, { recursive: true });
    expect((await open(copy)).version).toBe(version);
    expect((await open(changed('r4-qv', { lora_alpha: 9 }))).version).not.toBe(version);
  });

  it('given patterns of rank and alpha, when read, then they hold for the modules that they name', async () => {
    const path = written(
      { ...PAIR('a.q', 2), ...PAIR('b.q') },
      { rank_pattern: { 'a.q': 2 }, alpha_pattern: { '^b\\.q': 8 }, target_modules: '.*q' },
    );
    const adapter = await PeftAdapter.open(path, SMALL, 4);
    expect(await adapter.read('a.q')).toEqual({
      ...{ rank: 2, scale: 1, a: Float32Array.of(0, 1, 2, 3, 4, 5), b: Float32Array.of(-0, -1, -2, -3) },
    });
    expect(await adapter.read('b.q')).toMatchObject({ rank: 1, scale: 8 });
    expect(adapter.rank).toBe(2);
    await adapter.close();
  });

  it('given patterns that are regular expressions, when read, then the first that fits counts, as in PEFT', async () => {
    const path = written(
      { ...PAIR('a.q', 2), ...PAIR('b.q') },
      { rank_pattern: { '[a]\\.q': 2, '.*q': 1 }, alpha_pattern: { '(a|b)\\.q$': 8, 'b.q': 1 }, target_modules: '.*q' },
    );
    const adapter = await PeftAdapter.open(path, SMALL, 4);
    expect(await adapter.read('a.q')).toMatchObject({ rank: 2, scale: 4 });
    expect(await adapter.read('b.q')).toMatchObject({ rank: 1, scale: 8 });
    await adapter.close();
  });

  it.each([
    [{ use_dora: true }, /DoRA \(use_dora\)/],
    [{ bias: 'all' }, /changes biases \(bias: all\)/],
    [{ modules_to_save: ['lm_head'] }, /modules_to_save/],
    [{ peft_type: 'IA3' }, /type IA3/],
    [{ r: 0 }, /describes no LoRA adapter: r/],
    [{ lora_alpha: undefined }, /describes no LoRA adapter: lora_alpha/],
    [{ alora_invocation_tokens: [1, 2] }, /aLoRA/],
    [{ layer_replication: [[0, 2]] }, /replicated layers/],
    [{ target_modules: ['q_proj'] }, /does not name model\.layers\.0\.self_attn\.v_proj/],
    [
      { target_modules: ['q_proj', 'v_proj', 'o_proj'] },
      /names model\.layers\.0\.self_attn\.o_proj, for which there are no/,
    ],
    [{ rank_pattern: { '(?!q)q_proj': 4 } }, /adapter_config\.json: the pattern .* cannot be read by RE2/],
    [{ alpha_pattern: { 'q_proj(': 4 } }, /adapter_config\.json: the pattern .* cannot be read by RE2/],
    [{ r: 8 }, /does not fit the model: .*q_proj\.lora_A\.weight is \[4, 64\], where \[8, 64\]/],
  ])('given the configuration %j, when opened, then it is refused with its reason', async (config, reason) => {
    await expect(open(changed('r4-qv', config))).rejects.toThrow(reason);
  });

  it('given an adapter of a larger model, when opened, then it is refused', async () => {
    const larger = new Map([...KNOWN].map(([name, { inputs, outputs }]) => [name, { inputs: inputs * 2, outputs }]));
    await expect(open(join(ADAPTERS, 'r4-qv'), larger)).rejects.toThrow(/does not fit the model/);
    await expect(open(join(ADAPTERS, 'r4-qv'), new Map())).rejects.toThrow(/none of the model's linear layers/);
  });

  it('given a larger rank than there may be, when opened, then it is refused', async () => {
    await expect(open(join(ADAPTERS, 'r16-rs'), KNOWN, 8)).rejects.toThrow(/rank 16.*up to 8 \(maxAdapterRank\)/);
  });

  it.each([
    [
      'tensors that are no pairs',
      {
        'base_model.model.a.q.lora_embedding_A': [
          [1, 3],
          [1, 2, 3],
        ],
      },
      /only lora_A and lora_B/,
    ],
    [
      'half a pair',
      {
        'base_model.model.a.q.lora_A.weight': [
          [1, 3],
          [1, 2, 3],
        ],
      },
      /lora_A of a\.q alone/,
    ],
    ['no tensors', {}, /has no weights/],
  ] as [string, Record<string, [number[], number[]]>, RegExp][])(
    'given %s, when opened, then it is refused',
    async (_, tensors, reason) => {
      await expect(open(written(tensors), SMALL)).rejects.toThrow(reason);
    },
  );

  it('given an element that is not finite, when read, then it is refused', async () => {
    const pair = PAIR('a.q');
    pair['base_model.model.a.q.lora_B.weight']![1][0] = Number.NaN;
    const adapter = await PeftAdapter.open(written({ ...pair, ...PAIR('b.q') }), SMALL, 4);
    await expect(adapter.read('a.q')).rejects.toThrow(/not finite/);
    await adapter.close();
  });

  it.each([
    [{ lora_alpha: 1e42 }, /not finite once they are scaled by 1e\+42/],
    [{ lora_alpha: 1, alpha_pattern: { 'a.q': 1e39 } }, /not finite once they are scaled by 1e\+39/],
  ])('given the scale of %j, which float32 does not hold, when read, then it is refused', async (config, reason) => {
    const adapter = await PeftAdapter.open(written({ ...PAIR('a.q'), ...PAIR('b.q') }, config), SMALL, 4);
    await expect(adapter.read('a.q')).rejects.toThrow(reason);
    await adapter.close();
  });

  it('given an alpha that is zero or less, when read, then it is what the product is scaled with, as in PEFT', async () => {
    const path = written({ ...PAIR('a.q'), ...PAIR('b.q') }, { lora_alpha: 0, alpha_pattern: { 'b.q': -3 } });
    const adapter = await PeftAdapter.open(path, SMALL, 4);
    expect((await adapter.read('a.q')).scale).toBe(0);
    expect((await adapter.read('b.q')).scale).toBe(-3);
    await adapter.close();
  });

  it.each([true, false, null, 'gaussian', 'Gaussian', 'eva', 'orthogonal', 'mica'])(
    'given the initialisation %j, which leaves the base weights, when opened, then it is taken',
    async (value) => {
      expect(await open(changed('r4-qv', { init_lora_weights: value }))).toMatchObject({ rank: 4 });
    },
  );

  it.each(['pissa', 'pissa_niter_16', 'olora', 'OLoRA', 'corda', 'lora_ga'])(
    'given the initialisation %j, which changed the base weights, when opened, then it is refused with the way out',
    async (value) => {
      await expect(open(changed('r4-qv', { init_lora_weights: value }))).rejects.toThrow(
        new RegExp(`init_lora_weights: "${value}".*path_initial_model_for_weight_conversion`),
      );
    },
  );

  it.each([
    ['loftq', /base weights that LoftQ quantized/],
    ['of-next-year', /initialisation that is not known \(init_lora_weights: "of-next-year"\)/],
  ])('given the initialisation %j, when opened, then it is refused', async (value, reason) => {
    await expect(open(changed('r4-qv', { init_lora_weights: value }))).rejects.toThrow(reason);
  });

  it('given a file that is cut off, or none, when opened, then that is told', async () => {
    const path = changed('r4-qv', {});
    const weights = join(path, 'adapter_model.safetensors');
    writeFileSync(weights, readFileSync(weights).subarray(0, 5_000));
    await expect(open(path)).rejects.toThrow(/cut off/);
    rmSync(weights);
    await expect(open(path)).rejects.toThrow(/cannot be opened \(ENOENT\)/);
    writeFileSync(join(path, 'adapter_model.bin'), '');
    await expect(open(path)).rejects.toThrow(
      /adapter_model\.bin alone, which is not read: save it as adapter_model\.safe/,
    );
    await expect(open(join(folder, 'nowhere'))).rejects.toThrow(/cannot be read \(ENOENT\)/);
    writeFileSync(join(path, 'adapter_config.json'), '{');
    await expect(open(path)).rejects.toThrow(/not valid JSON/);
  });
});
