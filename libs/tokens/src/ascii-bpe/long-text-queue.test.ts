import { describe, expect, it } from 'vitest';
import { llamaTextFiles } from '../../testing/text-fixtures.js';
import { readText } from '../text-files.js';
import { Tokenizer } from '../tokenizer.js';
import { AsciiEncoder } from './ascii-encoder.js';
import { LongTextQueue } from './long-text-queue.js';

const LONGEST_TEXT_CHARACTERS = 65_536;
const SENTENCE = "Nobody who passes by at 10 o'clock says <|bos|> a word, and they don't.\r\n";

const reference = Tokenizer.fromFiles(llamaTextFiles());
const textOf = (characters: number, beginning = '') =>
  (beginning + SENTENCE.repeat(characters / SENTENCE.length + 1)).slice(0, characters);

async function emptyQueue(): Promise<LongTextQueue> {
  const encoder = await AsciiEncoder.read(readText(llamaTextFiles(), 'tokenizer.json') ?? '');
  return new LongTextQueue(encoder!);
}

async function readTokenizer(): Promise<Tokenizer> {
  const tokenizer = Tokenizer.fromFiles(llamaTextFiles());
  expect(await tokenizer.encodeHere()).toBe(true);
  return tokenizer;
}

/** @returns what the work gives, and how often the event loop turned until then */
async function countTurns<T>(work: Promise<T>): Promise<{ result: T; turns: number }> {
  let turns = 0;
  let isOver = false;
  const count = () => {
    turns++;
    if (!isOver) setImmediate(count);
  };
  setImmediate(count);
  const result = await work;
  isOver = true;
  return { result, turns };
}

describe('LongTextQueue', () => {
  it('given as many characters as it takes, when one text more comes, then it is refused until another is over', async () => {
    const queue = await emptyQueue();
    const text = textOf(LONGEST_TEXT_CHARACTERS);
    const first = queue.encode(text, true);
    const second = queue.encode(text, true);
    expect([first, second]).not.toContain(undefined);
    expect(queue.encode(textOf(2_000), true)).toBeUndefined();
    await first;
    const third = queue.encode(textOf(2_000), true);
    expect(await second).toEqual(await reference.encode(text));
    expect(await third).toEqual(await reference.encode(textOf(2_000)));
  });

  it.each([
    ['one that is not ASCII', `${textOf(4_000)}\u00e9`],
    ['one that is too long', textOf(LONGEST_TEXT_CHARACTERS + 1)],
  ])('given texts that wait, when %s comes, then it is refused at once and takes no room', async (_what, text) => {
    const queue = await emptyQueue();
    const first = queue.encode(textOf(LONGEST_TEXT_CHARACTERS), true);
    expect(queue.encode(text, true)).toBeUndefined();
    expect(await queue.encode(textOf(LONGEST_TEXT_CHARACTERS), true)).toEqual(await first);
  });

  it('given a piece that is too long, when its text was looked at, then it is left to the other way', async () => {
    const queue = await emptyQueue();
    const ids = queue.encode(`${textOf(4_000)} ${'x'.repeat(200)}`, true);
    expect(ids).toBeInstanceOf(Promise);
    expect(await ids).toBeUndefined();
  });

  it('given texts that wait, when they are over, then in the order in which they came', async () => {
    const queue = await emptyQueue();
    const over: number[] = [];
    const lengths = [40_000, 20_000, 2_000, 30_000];
    await Promise.all(lengths.map((length) => queue.encode(textOf(length), true)?.then(() => over.push(length))));
    expect(over).toEqual(lengths);
  });

  it('given texts of less than a piece, when they are encoded, then others have a turn between two of them', async () => {
    const queue = await emptyQueue();
    const all = Array.from({ length: 50 }, () => queue.encode(textOf(1_100), true));
    expect((await countTurns(Promise.all(all))).turns).toBeGreaterThanOrEqual(49);
  });

  it.each([
    ['while it waits', 1],
    ['while it is encoded', 0],
  ])(
    "given a text whose client leaves %s, then it ends with the signal's reason, and others go on",
    async (_when, at) => {
      const queue = await emptyQueue();
      const abort = new AbortController();
      const reason = new Error('gone');
      const text = textOf(40_000);
      const all = [0, 1, 2].map((index) => queue.encode(text, true, index === at ? abort.signal : undefined));
      setImmediate(() => abort.abort(reason));
      const results = await Promise.allSettled(all);
      expect(results[at]).toEqual({ status: 'rejected', reason });
      const ids = await reference.encode(text);
      for (const [index, result] of results.entries()) {
        if (index !== at) expect(result).toEqual({ status: 'fulfilled', value: ids });
      }
      const room = [1, 2].map(() => queue.encode(textOf(LONGEST_TEXT_CHARACTERS), true));
      expect(room).not.toContain(undefined);
      await Promise.all(room);
    },
  );
});

describe('Tokenizer with long texts', () => {
  it("given two, when they are encoded, then the ids are the reference's and others have a turn after each piece", async () => {
    const tokenizer = await readTokenizer();
    const texts = [textOf(30_000), textOf(30_000, 'And ')];
    const { result: ids, turns } = await countTurns(Promise.all(texts.map((text) => tokenizer.encode(text))));
    const pieces = 60_000 / 2_048;
    expect(turns).toBeGreaterThan(pieces / 2);
    expect(turns).toBeLessThan(2 * pieces + 16); // waiting for the pool, the loop turns thousands of times
    expect(ids).toEqual(await Promise.all(texts.map((text) => reference.encode(text))));
  });

  it('given more than wait here, when they are encoded, then each has its own ids', async () => {
    const tokenizer = await readTokenizer();
    const texts = Array.from({ length: 6 }, (_, index) => textOf(40_000, `${index}: `));
    const ids = await Promise.all(texts.map((text) => tokenizer.encode(text)));
    expect(ids).toEqual(await Promise.all(texts.map((text) => reference.encode(text))));
  });

  it.each([
    ['is too long for the thread that asks', textOf(LONGEST_TEXT_CHARACTERS + 1)],
    ['is not ASCII', `${textOf(7_000)}\u00e9`],
    ['has too long a piece', `the ${'a'.repeat(2_000)}`],
  ])('given one that %s, when it is encoded, then the ids are the same', async (_what, text) => {
    const tokenizer = await readTokenizer();
    expect(await tokenizer.encode(text)).toEqual(await reference.encode(text));
  });

  it("given a client that has left, when its text's turn comes, then it ends with the signal's reason", async () => {
    const tokenizer = await readTokenizer();
    const reason = new Error('gone');
    await expect(tokenizer.encode(textOf(4_000), { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });
});
