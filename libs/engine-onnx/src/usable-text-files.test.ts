import { copyFileSync, cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, it } from 'vitest';
import { usableTextFiles } from './usable-text-files.js';

const MODELS = fileURLToPath(new URL('../../../test/data/models', import.meta.url));
const home = mkdtempSync(join(tmpdir(), 'usable-text-files-'));
afterAll(() => rmSync(home, { recursive: true }));

const at = (folder: string) =>
  ({ kind: 'hf-folder', folder, id: folder, origin: 'folder', bytes: 0, contentKey: 'k' }) as const;

it.each(['llama', 'bert'])('given the model %s, when read, then its files are there', async (name) => {
  const files = await usableTextFiles(at(join(MODELS, name)));
  expect([...files.keys()]).toContain('tokenizer.json');
});

it.each([
  ['missing', (file: string) => rmSync(file), /llama-missing cannot be used: tokenizer\.json is missing/],
  [
    'no JSON',
    (file: string) => writeFileSync(file, '{'),
    /cannot be used: tokenizer\.json cannot be loaded: .*[^.]\.$/,
  ],
  ['a list', (file: string) => writeFileSync(file, '[]'), /cannot be used: tokenizer\.json cannot be loaded: /],
  ['empty', (file: string) => writeFileSync(file, '{}'), /cannot be used: tokenizer\.json /],
  [
    'of another kind',
    (file: string) => copyFileSync(join(MODELS, 'llama/config.json'), file),
    /cannot be used: tokenizer\.json /,
  ],
])('given a tokenizer.json that is %s, when read, then one sentence says so', async (how, harm, sentence) => {
  const folder = join(home, `llama-${how}`);
  cpSync(join(MODELS, 'llama'), folder, { recursive: true });
  harm(join(folder, 'tokenizer.json'));
  await expect(usableTextFiles(at(folder))).rejects.toThrow(sentence);
});

it.each([
  ['chat_template.jinja', 'open', '{% if x %}'],
  ['chat_template.jinja', 'of an unknown statement', '{% nonsense %}'],
  ['additional_chat_templates/tool_use.jinja', 'cut off', '{{ messages['],
])(
  'given %s that is %s, when read, then the model is refused at its start, with the reason',
  async (file, _, template) => {
    const folder = mkdtempSync(join(home, 'llama-'));
    cpSync(join(MODELS, 'llama'), folder, { recursive: true });
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), template);
    await expect(usableTextFiles(at(folder))).rejects.toThrow(
      /cannot be used: The chat template does not parse: .+\.$/,
    );
  },
);
