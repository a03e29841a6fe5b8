/**
 * What a short text costs the thread that asks when it is encoded at once, and the whole process when it goes to the pool, by length.
 * node bench/tokens/at-once.mjs [FOLDER OR GGUF FILE OF A MODEL]   (some seconds; default: the bytes of the mock engine)
 */
import { cpus } from 'node:os';
import { resolve } from 'node:path';
import { textFiles } from '#lib/models';
import { syntheticTextFiles, Tokenizer } from '#lib/tokens';

const LENGTHS = [30, 128, 512, 1_024];
const PROSE =
  'The quick brown fox jumps over the lazy dog near the river bank at 10 o\'clock, and nobody who passes by "there" says a word. ';
const TEXTS = 400;

const path = process.argv[2];
const isFile = path?.endsWith('.gguf');
const files =
  path === undefined
    ? syntheticTextFiles()
    : await textFiles(isFile ? { kind: 'gguf', ggufPath: resolve(path) } : { kind: 'folder', folder: resolve(path) });

const onPool = Tokenizer.fromFiles(files);
const atOnce = Tokenizer.fromFiles(files);
const begunMs = performance.now();
if (!(await atOnce.encodeHere())) throw new Error('This tokenizer is not of a kind that encodes at once.');
const readMs = performance.now() - begunMs;

const cpuUs = () => {
  const { user, system } = process.cpuUsage();
  return user + system;
};
/** Words of letters that were never seen before, or prose, which has the same words again. */
const textsOf = (length, isNew) =>
  Array.from({ length: TEXTS }, (_, index) => {
    const words = () => Math.random().toString(36).slice(2, 9).replaceAll(/[0-9]/g, 'o');
    const source = isNew
      ? Array.from({ length: length / 4 }, words).join(' ')
      : `${index} ${PROSE.repeat(length / 100 + 1)}`;
    return source.slice(0, length);
  });

async function costOf(tokenizer, texts) {
  for (const text of texts.slice(0, 100)) await tokenizer.encode(text);
  const before = cpuUs();
  for (const text of texts) await tokenizer.encode(text);
  return (cpuUs() - before) / texts.length;
}

const rows = [];
for (const isNew of [false, true]) {
  for (const length of LENGTHS) {
    const [warm, measured] = [textsOf(length, isNew), textsOf(length, isNew)];
    await costOf(atOnce, warm);
    const [atOnceUs, poolUs] = [await costOf(atOnce, measured), await costOf(onPool, measured)];
    rows.push({
      characters: length,
      words: isNew ? 'new' : 'prose',
      atOnceUs: Math.round(atOnceUs),
      poolUs: Math.round(poolUs),
    });
  }
}
console.log(
  JSON.stringify({ cpu: cpus()[0]?.model.trim(), tokens: onPool.vocabularySize, readMs: Math.round(readMs) }),
);
console.table(rows);
