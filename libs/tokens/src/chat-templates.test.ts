import { describe, expect, it } from 'vitest';
import { textFiles } from '../testing/text-fixtures.js';
import type { ChatMessage } from './chat-messages.js';
import { ChatTemplates } from './chat-templates.js';

const user: ChatMessage = { role: 'user', content: 'hi' };
const TOOLS = [{ type: 'function', function: { name: 'f' } }];

const render = (files: Record<string, unknown>, tools?: readonly unknown[]) =>
  ChatTemplates.fromFiles(textFiles(files))?.render([user], { tools });
/** What chats without tools, with none, and with some are written by. */
const chosen = (files: Record<string, unknown>) => [undefined, [], TOOLS].map((tools) => render(files, tools));

describe('ChatTemplates', () => {
  it('given no template, then there is none', () => {
    expect(ChatTemplates.fromFiles(textFiles({ 'tokenizer_config.json': {} }))).toBeUndefined();
    expect(ChatTemplates.fromFiles(textFiles({ 'tokenizer_config.json': { chat_template: [] } }))).toBeUndefined();
    expect(ChatTemplates.fromFiles(new Map())).toBeUndefined();
  });

  it('given the jinja file and the configuration, then the file counts', () => {
    const configured = { 'tokenizer_config.json': { chat_template: 'config' } };
    expect(chosen({ 'chat_template.jinja': 'file', ...configured })).toEqual(['file', 'file', 'file']);
    expect(chosen(configured)).toEqual(['config', 'config', 'config']);
  });

  it('given named templates, then the default one counts, else the first, and with tools the one for them', () => {
    const named = (...names: string[]) => ({
      'tokenizer_config.json': { chat_template: names.map((name) => ({ name, template: name })) },
    });
    expect(chosen(named('tool_use', 'rag', 'default'))).toEqual(['default', 'default', 'tool_use']);
    expect(chosen(named('rag', 'default'))).toEqual(['default', 'default', 'default']);
    expect(chosen(named('rag', 'tool_use'))).toEqual(['rag', 'rag', 'tool_use']);
    expect(chosen(named('tool_use'))).toEqual(['tool_use', 'tool_use', 'tool_use']);
  });

  it('given templates in files by name, then they count, and those of the configuration do not', () => {
    const configured = ['tool_use', 'default'].map((name) => ({ name, template: `configured ${name}` }));
    const files = { 'chat_template.jinja': 'plain', 'tokenizer_config.json': { chat_template: configured } };
    expect(chosen(files)).toEqual(['plain', 'plain', 'plain']);
    const tools = { 'additional_chat_templates/tool_use.jinja': 'tools' };
    expect(chosen({ ...files, ...tools })).toEqual(['plain', 'plain', 'tools']);
    expect(chosen({ ...tools, 'additional_chat_templates/default.jinja': 'named' })).toEqual([
      'named',
      'named',
      'tools',
    ]);
    expect(chosen(tools)).toEqual(['tools', 'tools', 'tools']);
  });

  it('given one of two that does not parse, when compiled, then it is the model that is at fault', () => {
    const files = { 'chat_template.jinja': 'x', 'additional_chat_templates/tool_use.jinja': '{% if %}' };
    expect(() => ChatTemplates.fromFiles(textFiles(files))?.compile()).toThrow('The chat template does not parse');
  });

  const SEEN = { 'chat_template.jinja': '{{ bos_token }}{{ eos_token }}{{ pad_token is defined }}' };

  it('given special tokens in both forms, then the template sees their text', () => {
    const config = { bos_token: '<s>', eos_token: { content: '</s>', special: true }, pad_token: null };
    expect(render({ ...SEEN, 'tokenizer_config.json': config })).toBe('<s></s>False');
  });

  it('given special_tokens_map.json, then it counts for models from before added_tokens_decoder, and for no others', () => {
    const map = { 'special_tokens_map.json': { bos_token: { content: '<b>', lstrip: false }, eos_token: '<e>' } };
    expect(render({ ...SEEN, ...map })).toBe('<b><e>False');
    expect(render({ ...SEEN, ...map, 'tokenizer_config.json': { bos_token: '<s>', pad_token: '<p>' } })).toBe(
      '<b><e>True',
    );
    const later = { bos_token: '<s>', added_tokens_decoder: {} };
    expect(render({ ...SEEN, ...map, 'tokenizer_config.json': later })).toBe('<s>False');
  });
});
