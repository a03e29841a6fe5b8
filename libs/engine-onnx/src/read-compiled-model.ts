import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import {
  ADAPTER_GRAPH_FILE,
  type CompiledModel,
  DECODE_ADAPTER_GRAPH_FILE,
  DECODE_GRAPH_FILE,
  GRAPH_FILE,
  MANIFEST_FILE,
  manifestSchema,
  WEIGHTS_FILE,
} from './compiled-model.js';
import type { AdapterGraph } from './runtime/adapter-graph.js';

/** The folder does not hold a whole compiled model of this version. */
export class DamagedCompiledModelError extends Error {
  override readonly name = 'DamagedCompiledModelError';
  constructor(
    readonly folder: string,
    reason: string,
    options?: ErrorOptions,
  ) {
    super(`${folder} holds no usable compiled model: ${reason}. Remove the folder and compile again.`, options);
  }
}

/**
 * A compiled model by its folder.
 * @throws DamagedCompiledModelError when a file is missing or of another size than the manifest says
 */
export async function readCompiledModel(folder: string): Promise<CompiledModel> {
  const manifest = await readManifest(folder);
  await checkSize(folder, GRAPH_FILE, manifest.graphBytes);
  await checkSize(folder, WEIGHTS_FILE, manifest.weightsBytes);
  const { adapters, decode } = manifest;
  if (adapters !== undefined) await checkSize(folder, ADAPTER_GRAPH_FILE, adapters.graphBytes);
  if (decode !== undefined) await checkSize(folder, DECODE_GRAPH_FILE, decode.graphBytes);
  if (decode?.adapterGraphBytes !== undefined)
    await checkSize(folder, DECODE_ADAPTER_GRAPH_FILE, decode.adapterGraphBytes);
  const decodeGraphPath = decode && join(folder, DECODE_GRAPH_FILE);
  return { folder, graphPath: join(folder, GRAPH_FILE), decodeGraphPath, manifest };
}

/** The graph that adapters add to, where there is one. @param decodesOnly  whether another model computes the prompts */
export function adapterGraphOf({ folder, manifest }: CompiledModel, decodesOnly = false): AdapterGraph | undefined {
  const { adapters, decode } = manifest;
  if (adapters === undefined) return undefined;
  const hasOwn = decodesOnly && decode?.adapterGraphBytes !== undefined;
  const path = join(folder, hasOwn ? DECODE_ADAPTER_GRAPH_FILE : ADAPTER_GRAPH_FILE);
  return { path, products: adapters.products, sites: adapters.sites };
}

async function readManifest(folder: string): Promise<CompiledModel['manifest']> {
  try {
    return manifestSchema.parse(JSON.parse(await readFile(join(folder, MANIFEST_FILE), 'utf8')));
  } catch (cause) {
    throw new DamagedCompiledModelError(folder, `its ${MANIFEST_FILE} is missing or of another version`, { cause });
  }
}

async function checkSize(folder: string, fileName: string, bytes: number): Promise<void> {
  let size: number;
  try {
    ({ size } = await stat(join(folder, fileName)));
  } catch (cause) {
    throw new DamagedCompiledModelError(folder, `its ${fileName} is missing`, { cause });
  }
  if (size !== bytes) {
    throw new DamagedCompiledModelError(folder, `its ${fileName} has ${size} bytes instead of ${bytes}`);
  }
}
