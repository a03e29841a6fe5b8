import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { rowsOf } from '../checkpoint/checkpoint.js';
import { toFloats } from '../checkpoint/element-codecs.js';
import { SafetensorsCheckpoint } from '../checkpoint/safetensors-checkpoint.js';
import { AdapterError } from './adapter-error.js';
import { PeftConfig } from './peft-config.js';

const CONFIG_FILE = 'adapter_config.json';
const WEIGHTS_FILE = 'adapter_model.safetensors';
const PICKLE_FILE = 'adapter_model.bin';
/** PEFT's names: `base_model.model.` and the module's own, `lora_A` and `lora_B`. */
const TENSOR_NAME = /^(?:base_model\.model\.)?(.+)\.lora_([AB])\.weight$/;
/** Configurations have a kilobyte or two. */
const MOST_CONFIG_CHARACTERS = 1_000_000;

/** Sizes of a module's weight, [outputs, inputs]. */
export interface ModuleShape {
  readonly inputs: number;
  readonly outputs: number;
}

/** What is added to a module's weight: scale · B · A. */
export interface LoraPair {
  readonly rank: number;
  readonly scale: number;
  /** [rank, inputs] */
  readonly a: Float32Array;
  /** [outputs, rank] */
  readonly b: Float32Array;
}

/** A LoRA adapter in PEFT's form: a folder with `adapter_config.json` and `adapter_model.safetensors`. Weights are read module by module. */
export class PeftAdapter {
  private constructor(
    private readonly folder: string,
    private readonly config: PeftConfig,
    private readonly weights: SafetensorsCheckpoint,
    /** Tensors of A and B by module. */
    private readonly tensors: ReadonlyMap<string, { readonly a: string; readonly b: string }>,
    /** SHA-256 over configuration and weights, hex. */
    readonly version: string,
    /** Largest rank of its modules. */
    readonly rank: number,
  ) {}

  get modules(): Iterable<string> {
    return this.tensors.keys();
  }

  /**
   * @param known  modules of the model that adapters can change
   * @throws AdapterError when it cannot be added to this model; CheckpointError when its file is damaged
   */
  static async open(
    folder: string,
    known: ReadonlyMap<string, ModuleShape>,
    mostRank: number,
    signal?: AbortSignal,
  ): Promise<PeftAdapter> {
    const configPath = join(folder, CONFIG_FILE);
    const text = await readFile(configPath, 'utf8').catch((cause: unknown) => {
      const { code } = cause as NodeJS.ErrnoException;
      throw new AdapterError(`${configPath} cannot be read (${code}): a folder of a PEFT adapter is expected.`, {
        cause,
      });
    });
    if (text.length > MOST_CONFIG_CHARACTERS) throw new AdapterError(`${configPath} is too long for a configuration.`);
    const config = await PeftConfig.parse(configPath, text);
    await checkHasSafetensors(folder);
    const weights = await SafetensorsCheckpoint.openFile(folder, WEIGHTS_FILE);
    try {
      const tensors = pairsOf(folder, weights);
      config.checkModules(new Set(tensors.keys()), known.keys());
      let rank = 0;
      for (const [module, pair] of tensors) {
        rank = Math.max(rank, checkPair(folder, { module, ...pair }, weights, config, known.get(module)));
      }
      if (rank > mostRank) {
        throw new AdapterError(
          `The adapter in ${folder} has rank ${rank}; the model takes up to ${mostRank} (maxAdapterRank).`,
        );
      }
      const version = await versionOf(text, join(folder, WEIGHTS_FILE), signal);
      return new PeftAdapter(folder, config, weights, tensors, version, rank);
    } catch (error) {
      await weights.close();
      throw error;
    }
  }

  /** @throws AdapterError when an element, or what the scale makes of it, is not finite in float32: rows of others, which take 0 of it, would be NaN */
  async read(module: string): Promise<LoraPair> {
    const names = this.tensors.get(module);
    if (names === undefined) throw new RangeError(`The adapter has no weights for ${module}.`);
    const [a, b] = [await this.floats(names.a), await this.floats(names.b)];
    const scale = this.config.scaleOf(module);
    if (!b.every((value) => Number.isFinite(Math.fround(scale * value)))) {
      throw new AdapterError(
        `The adapter in ${this.folder} has elements that are not finite once they are scaled by ${scale} (lora_alpha, r), in ${names.b}.`,
      );
    }
    return { rank: this.config.rankOf(module), scale, a, b };
  }

  async close(): Promise<void> {
    await this.weights.close();
  }

  private async floats(tensor: string): Promise<Float32Array> {
    const info = this.weights.info(tensor);
    const { rows, columns } = rowsOf(info);
    const values = toFloats(info.dtype, await this.weights.readRows(tensor, 0, rows), rows * columns);
    if (values.every(Number.isFinite)) return values;
    throw new AdapterError(`The adapter in ${this.folder} has elements that are not finite, in ${tensor}.`);
  }
}

/** PEFT's older form is a pickle, which is a program: it is not read. */
async function checkHasSafetensors(folder: string): Promise<void> {
  const names = await readdir(folder);
  if (names.includes(WEIGHTS_FILE) || !names.includes(PICKLE_FILE)) return;
  throw new AdapterError(
    `The adapter in ${folder} has ${PICKLE_FILE} alone, which is not read: save it as ${WEIGHTS_FILE} (PEFT's save_pretrained does).`,
  );
}

function pairsOf(folder: string, weights: SafetensorsCheckpoint) {
  const found = new Map<string, { a?: string; b?: string }>();
  for (const tensor of weights.allNames) {
    const [, module, side] = TENSOR_NAME.exec(tensor) ?? [];
    if (module === undefined) {
      throw new AdapterError(
        `The adapter in ${folder} has the tensor ${tensor}; only lora_A and lora_B of linear layers are served.`,
      );
    }
    const pair = found.get(module) ?? {};
    pair[side === 'A' ? 'a' : 'b'] = tensor;
    found.set(module, pair);
  }
  if (found.size === 0) throw new AdapterError(`The adapter in ${folder} has no weights.`);
  const pairs = new Map<string, { a: string; b: string }>();
  for (const [module, { a, b }] of found) {
    if (a === undefined || b === undefined) {
      throw new AdapterError(`The adapter in ${folder} has lora_${a === undefined ? 'B' : 'A'} of ${module} alone.`);
    }
    pairs.set(module, { a, b });
  }
  return pairs;
}

/** @returns its rank */
function checkPair(
  folder: string,
  { module, a, b }: { readonly module: string; readonly a: string; readonly b: string },
  weights: SafetensorsCheckpoint,
  config: PeftConfig,
  shape: ModuleShape | undefined,
): number {
  if (shape === undefined) {
    throw new AdapterError(
      `The adapter in ${folder} changes ${module}, which is none of the model's linear layers that adapters can change.`,
    );
  }
  const rank = config.rankOf(module);
  for (const [tensor, wanted] of [[a, [rank, shape.inputs]] as const, [b, [shape.outputs, rank]] as const]) {
    const found = weights.info(tensor).shape;
    if (found.length === 2 && found[0] === wanted[0] && found[1] === wanted[1]) continue;
    throw new AdapterError(
      `The adapter in ${folder} does not fit the model: ${tensor} is [${found.join(', ')}], where [${wanted.join(', ')}] is expected.`,
    );
  }
  return rank;
}

async function versionOf(config: string, weightsPath: string, signal: AbortSignal | undefined): Promise<string> {
  const hash = createHash('sha256').update(`${config.length}\0`).update(config);
  for await (const bytes of createReadStream(weightsPath, { signal })) hash.update(bytes);
  return hash.digest('hex');
}
