import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { tempFolder } from '../../testing/temp-folder.js';
import type { ResolvedModel } from '../resolved-model.js';
import { textFiles } from './text-files.js';

async function folderWith(files: Readonly<Record<string, string>>): Promise<ResolvedModel> {
  const folder = await tempFolder();
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), text);
  }
  return { kind: 'hf-folder', folder, id: folder, origin: 'folder', bytes: 0, contentKey: '' };
}

async function textsOf(files: Readonly<Record<string, string>>): Promise<Record<string, string>> {
  const read = await textFiles(await folderWith(files));
  return Object.fromEntries([...read].map(([name, bytes]) => [name, Buffer.from(bytes).toString()]));
}

describe('textFiles', () => {
  it('given a folder, when read, then the text files are there byte for byte, and no others', async () => {
    const files = { 'tokenizer.json': '{}', 'generation_config.json': '{"a":1}', 'chat_template.jinja': '{{ é }}' };
    expect(await textsOf({ ...files, 'config.json': '{}' })).toEqual(files);
  });

  it.each([
    ['a text', '"{{ x }}"'],
    ['a list of named ones', '[{"name":"rag","template":"no"},{"name":"default","template":"{{ x }}"}]'],
  ])('given chat_template.json with %s, when read, then it is the template', async (_, template) => {
    expect(await textsOf({ 'chat_template.json': `{"chat_template":${template}}` })).toEqual({
      'chat_template.jinja': '{{ x }}',
    });
  });

  it('given templates by name, in files or in chat_template.json, when read, then those that are chosen are there under one name', async () => {
    const files = { 'additional_chat_templates/tool_use.jinja': 'tools', 'special_tokens_map.json': '{}' };
    expect(await textsOf({ ...files, 'additional_chat_templates/rag.jinja': 'rag' })).toEqual(files);
    const named = ['default', 'rag', 'tool_use'].map((name) => ({ name, template: name }));
    expect(await textsOf({ 'chat_template.json': JSON.stringify({ chat_template: named }) })).toEqual({
      'chat_template.jinja': 'default',
      'additional_chat_templates/tool_use.jinja': 'tool_use',
    });
  });

  it('given both, when read, then chat_template.jinja wins', async () => {
    const files = { 'chat_template.json': '{"chat_template":"old"}', 'chat_template.jinja': 'new' };
    expect(await textsOf(files)).toEqual({ 'chat_template.jinja': 'new' });
  });
});
