import { type FileHandle, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { Checkpoint, CheckpointError, rowsOf } from './checkpoint.js';
import { rowBytes } from './element-codecs.js';
import { readExactly } from './read-exactly.js';
import { readSafetensorsHeader } from './safetensors-header.js';
import type { StoredTensor } from './stored-tensor.js';

const INDEX_FILE = 'model.safetensors.index.json';
const SINGLE_FILE = 'model.safetensors';
const indexSchema = z.object({ weight_map: z.record(z.string(), z.string()) });

interface TensorOfFile extends StoredTensor {
  readonly file: FileHandle;
}

/** A folder with `model.safetensors`, or with shards and `model.safetensors.index.json`. */
export class SafetensorsCheckpoint extends Checkpoint {
  private constructor(
    override readonly tensors: ReadonlyMap<string, TensorOfFile>,
    protected override readonly unreadable: ReadonlyMap<string, string>,
    private readonly files: readonly FileHandle[],
  ) {
    super();
  }

  /** @throws CheckpointError when a file is damaged or missing, or lacks what the index says is in it */
  static async open(folder: string): Promise<SafetensorsCheckpoint> {
    return SafetensorsCheckpoint.openFiles(folder, await shardsOf(folder));
  }

  /** One file of any name. @throws CheckpointError when it is damaged or missing */
  static openFile(folder: string, fileName: string): Promise<SafetensorsCheckpoint> {
    return SafetensorsCheckpoint.openFiles(folder, new Map([[fileName, undefined]]));
  }

  private static async openFiles(folder: string, shards: Shards): Promise<SafetensorsCheckpoint> {
    const tensors = new Map<string, TensorOfFile>();
    const unreadable = new Map<string, string>();
    const files: FileHandle[] = [];
    try {
      for (const [fileName, wanted] of shards) {
        const path = join(folder, fileName);
        const file = await open(path).catch((cause: unknown) => {
          throw new CheckpointError(`${path} cannot be opened (${(cause as NodeJS.ErrnoException).code}).`, { cause });
        });
        files.push(file);
        const header = await readSafetensorsHeader(path, file);
        for (const name of wanted ?? [...header.tensors.keys(), ...header.unreadable.keys()]) {
          const tensor = header.tensors.get(name);
          const reason = header.unreadable.get(name);
          if (tensor !== undefined) tensors.set(name, { ...tensor, file });
          else if (reason !== undefined) unreadable.set(name, reason);
          else throw new CheckpointError(`${path} has no tensor ${name}, though ${INDEX_FILE} says so.`);
        }
      }
    } catch (error) {
      await Promise.all(files.map((file) => file.close()));
      throw error;
    }
    return new SafetensorsCheckpoint(tensors, unreadable, files);
  }

  /** Names of all tensors, also of those that are not read. */
  get allNames(): Iterable<string> {
    return [...this.tensors.keys(), ...this.unreadable.keys()];
  }

  override async readRows(name: string, firstRow: number, rowCount: number): Promise<Uint8Array> {
    const tensor = this.info(name) as TensorOfFile;
    const stride = rowBytes(tensor.dtype, rowsOf(tensor).columns);
    return readExactly(tensor.file, tensor.offset + firstRow * stride, rowCount * stride, name);
  }

  override async close(): Promise<void> {
    await Promise.all(this.files.map((file) => file.close()));
  }
}

/** Names of the files, each with the tensors to take from it; `undefined` is all. */
type Shards = ReadonlyMap<string, readonly string[] | undefined>;

async function shardsOf(folder: string): Promise<Shards> {
  const text = await readFile(join(folder, INDEX_FILE), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (text === undefined) return new Map([[SINGLE_FILE, undefined]]);
  const shards = new Map<string, string[]>();
  for (const [tensor, fileName] of Object.entries(parseIndex(folder, text))) {
    if (/[\\/]|^\.\.?$/.test(fileName)) {
      throw new CheckpointError(`${INDEX_FILE} in ${folder} names a file outside of it: ${fileName}.`);
    }
    const tensors = shards.get(fileName) ?? [];
    tensors.push(tensor);
    shards.set(fileName, tensors);
  }
  return shards;
}

function parseIndex(folder: string, text: string): Readonly<Record<string, string>> {
  try {
    return indexSchema.parse(JSON.parse(text)).weight_map;
  } catch (cause) {
    throw new CheckpointError(`${INDEX_FILE} in ${folder} has no weight_map of tensors to files.`, { cause });
  }
}
