import { readFile } from 'node:fs/promises';
import { Tokenizer } from 'tokenizers';
import { expect, it } from 'vitest';
import { ModelStore } from '../model-store.js';
import { textFiles } from './text-files.js';

interface GoldenText {
  readonly text: string;
  readonly ids: readonly number[];
}

/** Recorded by test-data/record-tokenizers.py. */
const [, ...golden] = (
  await readFile(new URL('../../test-data/smollm2-tokenizer-golden.jsonl', import.meta.url), 'utf8')
)
  .trimEnd()
  .split('\n')
  .map((line) => JSON.parse(line) as GoldenText);

/** The first run downloads the default model into the user's storage folder, as `make run` does. */
it('given the default model, when texts are encoded, then ids are as Python has them', async () => {
  const folder = process.env['HYDRA_HOME'] ?? '~/.cache/hydraserve';
  const store = new ModelStore({ folder, hubEndpoint: process.env['HF_ENDPOINT'] ?? 'https://huggingface.co' });
  const files = await textFiles(await store.pullModel('smollm2-135m-instruct'));
  const tokenizer = Tokenizer.fromString(Buffer.from(files.get('tokenizer.json') ?? []).toString());
  const encoded = await Promise.all(
    golden.map(async ({ text }) => ({ text, ids: [...(await tokenizer.encode(text)).getIds()] })),
  );
  expect(encoded).toEqual(golden);
  expect(JSON.parse(Buffer.from(files.get('generation_config.json') ?? []).toString()).eos_token_id).toEqual([2]);
  expect(Buffer.from(files.get('chat_template.jinja') ?? []).toString()).toContain('<|im_start|>');
}, 600_000);
