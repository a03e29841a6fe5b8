import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { UnsupportedModelError } from './errors.js';
import { isJsonObject, type JsonObject, parseJsonObject } from './json-object.js';

/** What sentence-transformers writes beside an encoder; absent where the model has none. */
export interface EncoderFiles {
  /** `modules.json`: what is computed, in order. */
  readonly modules?: readonly SentenceModule[] | undefined;
  /** `sentence_bert_config.json`: the length it was trained for. */
  readonly sentence?: JsonObject | undefined;
  /** `config.json` of the pooling module. */
  readonly pooling?: JsonObject | undefined;
  readonly tokenizerConfig?: JsonObject | undefined;
  /** Whether its tokenizer makes texts lower case; absent where no other file speaks of it. */
  readonly lowersCase?: boolean | undefined;
}

/** One step of a sentence-transformers model. */
export interface SentenceModule {
  /** Name of the class, without its package: `Transformer`, `Pooling`, `Normalize`, … */
  readonly kind: string;
  /** Folder of its configuration, relative to the model's. */
  readonly path: string;
}

/** Names of the file that says the length; later versions of the library write the first, whatever the architecture. */
export const SENTENCE_FILES: readonly string[] = [
  'bert',
  'roberta',
  'distilbert',
  'camembert',
  'xlm-roberta',
  'mpnet',
].map((architecture) => `sentence_${architecture}_config.json`);
export const MODULES_FILE = 'modules.json';
/** Where the pooling's configuration lies, if `modules.json` does not say. */
export const POOLING_FILE = '1_Pooling/config.json';

/** @throws UnsupportedModelError when one of them is not what its name says */
export async function readEncoderFiles(folder: string): Promise<EncoderFiles> {
  const modules = await readModules(folder);
  const poolingPath = modules?.find(({ kind }) => kind === 'Pooling')?.path;
  let sentence: JsonObject | undefined;
  for (const name of SENTENCE_FILES) sentence ??= await readJson(join(folder, name), folder);
  const tokenizerConfig = await readJson(join(folder, 'tokenizer_config.json'), folder);
  const saysCase = [sentence, tokenizerConfig].some((file) => typeof file?.['do_lower_case'] === 'boolean');
  return {
    modules,
    sentence,
    pooling: await readJson(
      join(folder, poolingPath === undefined ? POOLING_FILE : `${poolingPath}/config.json`),
      folder,
    ),
    tokenizerConfig,
    // The one large file, read only where it matters.
    lowersCase: saysCase
      ? makesLowerCase((await readJson(join(folder, 'tokenizer.json'), folder))?.['normalizer'])
      : undefined,
  };
}

async function readModules(folder: string): Promise<readonly SentenceModule[] | undefined> {
  const text = await readIfThere(join(folder, MODULES_FILE));
  if (text === undefined) return undefined;
  const listed = parsed(text);
  if (!Array.isArray(listed)) throw new UnsupportedModelError(folder, `its ${MODULES_FILE} is not a list`);
  return listed.map((module: unknown) => {
    const { type, path = '' } = isJsonObject(module) ? module : {};
    if (typeof type !== 'string' || typeof path !== 'string' || path.split('/').includes('..')) {
      throw new UnsupportedModelError(folder, `its ${MODULES_FILE} has a module without type or path`);
    }
    return { kind: type.slice(type.lastIndexOf('.') + 1), path };
  });
}

function makesLowerCase(normalizer: unknown): boolean {
  if (!isJsonObject(normalizer)) return false;
  const { type, lowercase, normalizers } = normalizer;
  if (type === 'Sequence') return Array.isArray(normalizers) && normalizers.some(makesLowerCase);
  return type === 'Lowercase' || (type === 'BertNormalizer' && lowercase === true);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // as wrong as any other value that is no list
  }
}

export async function readJson(path: string, name: string): Promise<JsonObject | undefined> {
  const text = await readIfThere(path);
  return text === undefined ? undefined : parseJsonObject(text, path, name);
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
