import { setImmediate as turn } from 'node:timers/promises';
import type { JsEncoding } from 'tokenizers';
import { describe, expect, it } from 'vitest';
import { llamaTextFiles } from '../testing/text-fixtures.js';
import { EncodingQueue } from './encoding-queue.js';
import { Tokenizer } from './tokenizer.js';

/** A queue whose batches are recorded and end when the test says so; a text 'bad' fails the batch that it is in. */
function recorded() {
  const batches: (readonly string[])[] = [];
  const gates: PromiseWithResolvers<void>[] = [];
  const queue = new EncodingQueue(async (texts) => {
    batches.push(texts);
    const gate = Promise.withResolvers<void>();
    gates.push(gate);
    await gate.promise;
    if (texts.includes('bad')) throw new Error('bad');
    return texts.map((text) => ({ text }) as unknown as JsEncoding);
  });
  return { batches, gates, encode: (text: string) => queue.encode(text) as Promise<unknown> };
}

describe('EncodingQueue', () => {
  it('given texts in one turn, then they are encoded together', async () => {
    const { batches, gates, encode } = recorded();
    const answers = ['a', 'b'].map(encode);
    await turn();
    expect(batches).toEqual([['a', 'b']]);
    gates[0]?.resolve();
    expect(await Promise.all(answers)).toEqual([{ text: 'a' }, { text: 'b' }]);
  });

  it('given texts while one is being encoded, then they are encoded together after it', async () => {
    const { batches, gates, encode } = recorded();
    const first = encode('a');
    await turn();
    const later = ['b', 'c'].map(encode);
    await turn();
    expect(batches).toEqual([['a']]);
    gates[0]?.resolve();
    await first;
    await expect.poll(() => batches).toEqual([['a'], ['b', 'c']]);
    gates[1]?.resolve();
    expect(await Promise.all([first, ...later])).toEqual([{ text: 'a' }, { text: 'b' }, { text: 'c' }]);
  });

  it('given a text after the queue was idle, then it is encoded, too', async () => {
    const { batches, gates, encode } = recorded();
    for (const index of [0, 1]) {
      const answer = encode('a');
      await turn();
      gates[index]?.resolve();
      await answer;
    }
    expect(batches).toEqual([['a'], ['a']]);
  });

  it('given one that cannot be encoded, then those it met are', async () => {
    const { batches, gates, encode } = recorded();
    const first = encode('a');
    await turn();
    const [bad, good] = ['bad', 'c'].map(encode);
    bad?.catch(() => {});
    gates[0]?.resolve();
    await expect.poll(() => batches.length).toBe(2);
    gates[1]?.resolve();
    await expect.poll(() => batches.length).toBe(4); // each alone
    for (const gate of gates) gate.resolve();
    await expect(bad).rejects.toThrow('bad');
    expect(await Promise.all([first, good])).toEqual([{ text: 'a' }, { text: 'c' }]);
  });

  it('given a long text, then it goes alone and at once', async () => {
    const { batches, gates, encode } = recorded();
    const long = 'x'.repeat(10_000);
    const answers = ['a', long].map(encode);
    expect(batches).toEqual([[long]]);
    await turn();
    expect(batches).toEqual([[long], ['a']]);
    for (const gate of gates) gate.resolve();
    await Promise.all(answers);
  });

  it('given many texts at once at a real tokenizer, then each has the ids it has alone', async () => {
    const tokenizer = Tokenizer.fromFiles(llamaTextFiles());
    const texts = Array.from({ length: 200 }, (_, index) => `${'word '.repeat(index % 17)}${index}`);
    const together = await Promise.all(texts.map((text) => tokenizer.encode(text)));
    for (const [index, text] of texts.entries()) expect(together[index]).toEqual(await tokenizer.encode(text));
  });
});
