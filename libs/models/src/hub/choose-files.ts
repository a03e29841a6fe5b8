import { MODULES_FILE, SENTENCE_FILES } from '../encoder-files.js';
import { UnsupportedModelError } from '../errors.js';
import { TEMPLATE_FILES } from '../text/template-files.js';
import type { HubFile } from './hub-listing.js';

/** What of a repository is needed. Everything else in it (other formats, pictures, training state) stays there. */
export type ChosenFiles =
  | { readonly kind: 'hf-folder'; readonly files: readonly HubFile[] }
  | { readonly kind: 'gguf'; readonly files: readonly [HubFile] };

const TEXT_FILES = new Set([
  'config.json',
  'generation_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  ...TEMPLATE_FILES,
  'chat_template.json',
  MODULES_FILE,
  ...SENTENCE_FILES,
]);
/** How an encoder's states become one vector: `1_Pooling` in all but the oldest. */
const POOLING_FILE = /^\d+_Pooling\/config\.json$/;
const SPLIT_GGUF = /-\d{5}-of-\d{5}\.gguf$/;
const SHARD = /^model-\d{5}-of-\d{5}\.safetensors$/;

/**
 * @param repo    how errors call the model
 * @param wanted  a GGUF file that was asked for by name
 * @throws UnsupportedModelError before anything large is downloaded
 */
export function chooseFiles(repo: string, files: readonly HubFile[], wanted?: string): ChosenFiles {
  if (wanted !== undefined) return gguf(repo, [named(repo, files, wanted)]);
  const top = files.filter(({ path }) => !path.includes('/'));
  const weights = safetensors(top);
  if (weights.length === 0) {
    return gguf(
      repo,
      top.filter(({ path }) => path.endsWith('.gguf')),
    );
  }
  for (const needed of ['config.json', 'tokenizer.json']) {
    if (!top.some(({ path }) => path === needed)) throw new UnsupportedModelError(repo, `it has no ${needed}`);
  }
  const small = files.filter(({ path }) => TEXT_FILES.has(path) || POOLING_FILE.test(path));
  return { kind: 'hf-folder', files: [...small, ...weights] };
}

/** One file, or an index and its shards. `consolidated.safetensors` are the same weights a second time. */
function safetensors(top: readonly HubFile[]): HubFile[] {
  const single = top.filter(({ path }) => path === 'model.safetensors');
  if (single.length > 0) return single;
  const index = top.filter(({ path }) => path === 'model.safetensors.index.json');
  if (index.length === 0) return [];
  const shards = top.filter(({ path }) => SHARD.test(path));
  return shards.length === 0 ? [] : [...index, ...shards];
}

function gguf(repo: string, candidates: readonly HubFile[]): ChosenFiles {
  const [first, ...others] = candidates;
  if (first === undefined) throw new UnsupportedModelError(repo, 'it has neither safetensors nor GGUF weights');
  if (others.length > 0) {
    const names = candidates.map(({ path }) => path).join(', ');
    throw new UnsupportedModelError(repo, `it has several GGUF files; name one as ${repo}:FILE, one of ${names}`);
  }
  if (SPLIT_GGUF.test(first.path))
    throw new UnsupportedModelError(repo, 'its GGUF file is split, which is not handled');
  return { kind: 'gguf', files: [first] };
}

function named(repo: string, files: readonly HubFile[], wanted: string): HubFile {
  const file = files.find(({ path }) => path === wanted);
  if (file !== undefined) return file;
  const known = files.filter(({ path }) => path.endsWith('.gguf')).map(({ path }) => path);
  throw new UnsupportedModelError(repo, `it has no file ${wanted}; its GGUF files are ${known.join(', ') || 'none'}`);
}
