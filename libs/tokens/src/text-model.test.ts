import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { llamaTextFiles, textFiles } from '../testing/text-fixtures.js';
import { NoChatTemplateError } from './chat-template-error.js';
import { readGenerationDefaults } from './generation-defaults.js';
import { syntheticTextFiles } from './synthetic-tokenizer.js';
import { TextModel } from './text-model.js';
import { TextTooLongError } from './tokenizer.js';

const llama = TextModel.load(llamaTextFiles());
const synthetic = TextModel.load(syntheticTextFiles());

describe('TextModel', () => {
  it('given a chat, when made a prompt, then the special tokens of the template are single ids', async () => {
    const ids = await llama.promptFromChat([{ role: 'user', content: 'hi' }]);
    const hi = [...(await llama.promptFromText('hi'))];
    expect([...ids]).toEqual([0, 3, ...hi, 1, 4]);
  });

  it('given no generation prompt, when made a prompt, then it ends with the last message', async () => {
    const ids = await llama.promptFromChat([{ role: 'user', content: 'hi' }], { addGenerationPrompt: false });
    expect(ids.at(-1)).toBe(1);
  });

  it('given a base model, when a chat is asked of it, then the error says that it has no template', async () => {
    const files = new Map([...llamaTextFiles()].filter(([name]) => name !== 'chat_template.jinja'));
    const base = TextModel.load(files);
    expect(base.chatTemplates).toBeUndefined();
    await expect(base.promptFromChat([{ role: 'user', content: 'hi' }])).rejects.toThrow(NoChatTemplateError);
  });

  it('given a template that does not parse, when loaded, then texts work and only chats fail', async () => {
    const broken = TextModel.load(new Map([...llamaTextFiles(), ...textFiles({ 'chat_template.jinja': '{% if %}' })]));
    expect(await broken.promptFromText('hi')).toEqual(await llama.promptFromText('hi'));
    await expect(broken.promptFromChat([{ role: 'user', content: 'x' }])).rejects.toMatchObject({ fault: 'template' });
  });

  it('given a prompt over the bound, when made, then it is refused, as text and as chat', async () => {
    const bounded = TextModel.load(llamaTextFiles(), { maxPromptCharacters: 100 });
    await expect(bounded.promptFromText('x'.repeat(101))).rejects.toThrow(TextTooLongError);
    const chat = bounded.promptFromChat([{ role: 'user', content: 'x'.repeat(101) }]);
    await expect(chat).rejects.toMatchObject({ fault: 'too-large' });
  });
});

describe('readGenerationDefaults', () => {
  it('given a configuration, then what it recommends is read and the rest is undefined', () => {
    const config = { temperature: 0.6, top_p: 0.9, top_k: 20, repetition_penalty: 1.1, eos_token_id: [7, 3, 'x'] };
    expect(readGenerationDefaults(textFiles({ 'generation_config.json': config }), 5)).toEqual({
      temperature: 0.6,
      topP: 0.9,
      topK: 20,
      minP: undefined,
      repetitionPenalty: 1.1,
      eosTokenIds: [3, 5, 7],
    });
  });

  it('given no configuration, then only the end token of the tokenizer is known', () => {
    expect(readGenerationDefaults(new Map(), 2).eosTokenIds).toEqual([2]);
    expect(readGenerationDefaults(new Map()).eosTokenIds).toEqual([]);
    expect(llama.generationDefaults.eosTokenIds).toEqual([1]);
  });
});

describe('syntheticTextFiles', () => {
  it('given two calls, then the files are the same bytes', () => {
    expect([...syntheticTextFiles()]).toEqual([...syntheticTextFiles()]);
  });

  it('given any text, when encoded, then the ids are its bytes, and back it is the text', () =>
    fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary' }), async (text) => {
        const ids = await synthetic.promptFromText(text);
        expect([...ids]).toEqual([...new TextEncoder().encode(text)]);
        expect(await synthetic.tokenizer.decode(ids)).toBe(text);
      }),
    ));

  it('given a chat, when made a prompt, then roles and ends are tokens', async () => {
    const messages = [
      { role: 'system', content: 'S' },
      { role: 'user', content: 'U' },
      { role: 'assistant', content: 'A' },
    ];
    expect([...(await synthetic.promptFromChat(messages))]).toEqual([
      256, 260, 83, 257, 258, 85, 257, 259, 65, 257, 259,
    ]);
    expect(synthetic.generationDefaults.eosTokenIds).toEqual([257]);
    expect(synthetic.tokenizer.vocabularySize).toBe(261);
  });
});
