import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isJsonObject, parseJsonObject } from '../json-object.js';
import type { ResolvedModel } from '../resolved-model.js';
import { ggufTextFiles } from './gguf-text-files.js';
import { TEMPLATE_FILES, TOOL_USE_TEMPLATE } from './template-files.js';

const NAMES = [
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'generation_config.json',
  ...TEMPLATE_FILES,
];

/**
 * The files that turn text into token ids and back, by name: `tokenizer.json`, and where the model has them
 * `tokenizer_config.json`, `special_tokens_map.json`, `generation_config.json`, and its chat templates. Those of a GGUF file are made from its metadata.
 * @throws UnsupportedModelError when a GGUF file has a tokenizer of a kind we do not know
 */
export function textFiles(model: ResolvedModel): Promise<Map<string, Uint8Array>> {
  return model.kind === 'gguf' ? ggufTextFiles(model.ggufPath) : folderTextFiles(model.folder);
}

async function folderTextFiles(folder: string): Promise<Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  for (const name of NAMES) {
    const bytes = await readIfPresent(join(folder, name));
    if (bytes !== undefined) files.set(name, bytes);
  }
  if (TEMPLATE_FILES.some((name) => files.has(name))) return files;
  for (const [name, text] of await processorTemplates(folder)) files.set(name, new TextEncoder().encode(text));
  return files;
}

/** Models with a processor may keep their templates in `chat_template.json`: one, or several by name. @returns them by their files of today */
async function processorTemplates(folder: string): Promise<[file: string, text: string][]> {
  const path = join(folder, 'chat_template.json');
  const bytes = await readIfPresent(path);
  if (bytes === undefined) return [];
  const template = parseJsonObject(new TextDecoder().decode(bytes), path, folder)['chat_template'];
  if (typeof template === 'string') return [['chat_template.jinja', template]];
  const named = Array.isArray(template) ? template.filter(isJsonObject) : [];
  return named.flatMap(({ name, template: text }): [string, string][] => {
    if (typeof text !== 'string') return [];
    if (name === 'default') return [['chat_template.jinja', text]];
    return name === 'tool_use' ? [[TOOL_USE_TEMPLATE, text]] : [];
  });
}

async function readIfPresent(path: string): Promise<Uint8Array | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
