import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isJsonObject, parseJsonObject } from '../json-object.js';
import type { ResolvedModel } from '../resolved-model.js';
import { ggufTextFiles } from './gguf-text-files.js';

const NAMES = ['tokenizer.json', 'tokenizer_config.json', 'generation_config.json', 'chat_template.jinja'] as const;

/**
 * The files that turn text into token ids and back, by name: `tokenizer.json`, and where the model has them
 * `tokenizer_config.json`, `generation_config.json`, `chat_template.jinja`. Those of a GGUF file are made from its metadata.
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
  if (!files.has('chat_template.jinja')) {
    const template = await processorTemplate(folder);
    if (template !== undefined) files.set('chat_template.jinja', new TextEncoder().encode(template));
  }
  return files;
}

/** Models with a processor keep the template in `chat_template.json`. */
async function processorTemplate(folder: string): Promise<string | undefined> {
  const path = join(folder, 'chat_template.json');
  const bytes = await readIfPresent(path);
  if (bytes === undefined) return undefined;
  const template = parseJsonObject(new TextDecoder().decode(bytes), path, folder)['chat_template'];
  if (typeof template === 'string') return template;
  // Several by name: `default` is the one for chats.
  const named = Array.isArray(template) ? template.filter(isJsonObject) : [];
  const chat = named.find(({ name }) => name === 'default')?.['template'];
  return typeof chat === 'string' ? chat : undefined;
}

async function readIfPresent(path: string): Promise<Uint8Array | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
