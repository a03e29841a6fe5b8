import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Tokenizer } from 'tokenizers';
import { describe, expect, it } from 'vitest';
import { writeGguf } from '../../testing/gguf-fixture.js';
import { tempFolder } from '../../testing/temp-folder.js';
import { UnsupportedModelError } from '../errors.js';
import { ggufTextFiles } from './gguf-text-files.js';

interface GoldenKind {
  readonly kind: string;
  readonly metadata: Readonly<Record<string, string | number | readonly string[] | readonly number[]>>;
  readonly texts?: readonly string[];
  readonly ids: readonly (readonly number[])[];
  readonly decoded: readonly string[];
}

/** Recorded by test-data/record-tokenizers.py: a line with the texts, then a line per kind. */
const [setup, ...kinds] = (await readFile(new URL('../../test-data/tokenizers-golden.jsonl', import.meta.url), 'utf8'))
  .trimEnd()
  .split('\n')
  .map((line) => JSON.parse(line)) as [{ readonly texts: readonly string[] }, ...GoldenKind[]];

function kindNamed(name: string): GoldenKind {
  const found = kinds.find(({ kind }) => kind === name);
  if (found === undefined) throw new Error(`no golden of ${name}`);
  return found;
}

async function textFilesOf(metadata: GoldenKind['metadata'] | Record<string, boolean>): Promise<Map<string, string>> {
  const path = join(await tempFolder(), 'model.gguf');
  await writeGguf(path, { 'general.architecture': 'llama', ...metadata });
  const files = await ggufTextFiles(path);
  return new Map([...files].map(([name, bytes]) => [name, Buffer.from(bytes).toString()]));
}

async function tokenizerOf(metadata: GoldenKind['metadata'] | Record<string, boolean>): Promise<Tokenizer> {
  return Tokenizer.fromString((await textFilesOf(metadata)).get('tokenizer.json') ?? '');
}

describe('ggufTextFiles', () => {
  it.each(kinds)('given $kind metadata, when texts are encoded, then ids are as recorded', async (kind) => {
    const tokenizer = await tokenizerOf(kind.metadata);
    const texts = kind.texts ?? setup.texts;
    const ids = await Promise.all(texts.map(async (text) => (await tokenizer.encode(text)).getIds()));
    expect(ids.map((row, index) => [texts[index], [...row]])).toEqual(
      kind.ids.map((row, index) => [texts[index], row]),
    );
  });

  it.each(kinds)('given $kind metadata, when ids are decoded, then texts are as recorded', async (kind) => {
    const tokenizer = await tokenizerOf(kind.metadata);
    expect(await Promise.all(kind.ids.map((row) => tokenizer.decode([...row], true)))).toEqual(kind.decoded);
  });

  const { metadata } = kindNamed('smollm');
  const { metadata: llamaBpe } = kindNamed('llama-bpe');

  it('given add_bos_token and add_eos_token, when a text is encoded, then the tokens stand around it', async () => {
    const flags = { 'tokenizer.ggml.add_bos_token': true, 'tokenizer.ggml.add_eos_token': true };
    const tokenizer = await tokenizerOf({ ...metadata, ...flags });
    const ids = (await tokenizer.encode('a')).getIds();
    expect([ids.at(0), ids.at(-1), ids.length]).toEqual([0, 1, 3]);
    expect((await tokenizer.encode('a', null, { addSpecialTokens: false })).getIds()).toHaveLength(1);
  });

  it('given add_bos_token false for a kind that adds bos, when a text is encoded, then there is none', async () => {
    const tokenizer = await tokenizerOf({ ...llamaBpe, 'tokenizer.ggml.add_bos_token': false });
    expect((await tokenizer.encode('a')).getIds()).toHaveLength(1);
  });

  it('given a chat template and end tokens, when made, then each is in the file where the hub has it', async () => {
    const files = await textFilesOf({
      ...metadata,
      'tokenizer.chat_template': '{{ x }}',
      'tokenizer.chat_template.tool_use': '{{ y }}',
      'tokenizer.ggml.eot_token_id': 0,
    });
    expect(files.get('chat_template.jinja')).toBe('{{ x }}');
    expect(files.get('additional_chat_templates/tool_use.jinja')).toBe('{{ y }}');
    expect(JSON.parse(files.get('generation_config.json') ?? '')).toEqual({ bos_token_id: 0, eos_token_id: [0, 1] });
    expect(JSON.parse(files.get('tokenizer_config.json') ?? '')).toMatchObject({
      bos_token: '<|begin|>',
      eos_token: '<|end|>',
    });
  });

  it('given a pre-tokenizer that is not known, when made, then the error names it and the known ones', async () => {
    await expect(textFilesOf({ ...metadata, 'tokenizer.ggml.pre': 'tekken' })).rejects.toThrow(
      /cannot be used: its pre-tokenizer "tekken" is not known; known are default, gpt-2, smollm, .*qwen2\.$/,
    );
  });

  it('given a tokenizer of another kind, when made, then the error names it', async () => {
    await expect(textFilesOf({ ...metadata, 'tokenizer.ggml.model': 'bert' })).rejects.toThrow(UnsupportedModelError);
  });
});
