import { describe, expect, it } from 'vitest';
import { readGolden, readTestData } from '../testing/text-fixtures.js';
import type { ChatMessage } from './chat-messages.js';
import { ChatTemplate } from './chat-template.js';
import { ChatTemplateError } from './chat-template-error.js';

interface ChatCase {
  readonly template: string;
  readonly chat: string;
  readonly add_generation_prompt: boolean;
  readonly tools?: readonly unknown[];
  readonly enable_thinking?: boolean;
  readonly prompt?: string;
  readonly raised?: string;
}

interface ChatSetup {
  readonly now: string;
  readonly specialTokens: { readonly bos_token: string; readonly eos_token: string };
  readonly chats: Readonly<Record<string, readonly ChatMessage[]>>;
}

const { setup, cases } = readGolden<ChatSetup, ChatCase>('chat-golden.jsonl');
const now = () => new Date(setup.now);
const user: ChatMessage = { role: 'user', content: 'hi' };

/** The fault and message of what the call throws. */
function faultOf(call: () => unknown): { fault: string; message: string } {
  try {
    call();
  } catch (error) {
    if (error instanceof ChatTemplateError) return { fault: error.fault, message: error.message };
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('ChatTemplate', () => {
  it.each(cases)('writes $template, $chat as the reference does', (golden) => {
    const template = new ChatTemplate(readTestData(`chat/${golden.template}.jinja`), setup.specialTokens, { now });
    const render = () =>
      template.render(setup.chats[golden.chat]!, {
        addGenerationPrompt: golden.add_generation_prompt,
        tools: golden.tools,
        templateArguments: golden.enable_thinking === undefined ? {} : { enable_thinking: golden.enable_thinking },
      });
    if (golden.raised === undefined) expect(render()).toBe(golden.prompt);
    else expect(faultOf(render)).toEqual({ fault: 'raised', message: golden.raised });
  });

  it('given content in parts, when rendered, then it is as if the text had been given', () => {
    const template = new ChatTemplate("{{ messages[0]['content'] + '!' }}");
    const parts = [
      { type: 'text', text: 'one' },
      { type: 'text', text: 'two' },
    ];
    expect(template.render([{ role: 'user', content: parts }])).toBe('one\ntwo!');
    expect(template.render([{ role: 'user', content: [] }])).toBe('!');
    expect(template.render([{ role: 'user' }])).toBe('!');
  });

  it('given a part that is not text, when rendered, then the error names its place', () => {
    const content = [
      { type: 'text', text: 'a' },
      { type: 'image_url', image_url: { url: 'x' } },
    ];
    const { fault, message } = faultOf(() => new ChatTemplate('').render([user, { role: 'user', content }]));
    expect(fault).toBe('messages');
    expect(message).toContain('messages[1].content[1] is of type image_url');
  });

  it('given no messages, when rendered, then it is refused', () => {
    expect(faultOf(() => new ChatTemplate('x').render([])).fault).toBe('messages');
  });

  it('given arguments of a tool call as JSON text, when rendered, then the template sees an object', () => {
    const template = new ChatTemplate('{{ messages[0].tool_calls[0].function.arguments | tojson }}');
    const call = (args: string) => ({ id: 'c', type: 'function', function: { name: 'f', arguments: args } });
    expect(template.render([{ role: 'assistant', tool_calls: [call('{"a":1}')] }])).toBe('{"a": 1}');
    expect(template.render([{ role: 'assistant', tool_calls: [call('{broken')] }])).toBe('"{broken"');
  });

  it('given a template that joins the arguments of tool calls, when rendered, then it has them as the client sent them', () => {
    const template = new ChatTemplate("{{ 'call ' + messages[0].tool_calls[0].function.arguments }}");
    const call = { id: 'c', type: 'function', function: { name: 'f', arguments: '{"a":1}' } };
    expect(template.render([{ role: 'assistant', tool_calls: [call] }])).toBe('call {"a":1}');
    const object = { ...call, function: { name: 'f', arguments: { a: 1 } } };
    const { fault, message } = faultOf(() => template.render([{ role: 'assistant', tool_calls: [object] }]));
    expect(fault).toBe('failed');
    expect(message).toContain('can only concatenate str (not "dict") to str');
  });

  it('given the developer role, when the template does not know it, then it is the system', () => {
    const messages = [{ role: 'developer', content: 'x' }];
    expect(new ChatTemplate('{{ messages[0].role }}').render(messages)).toBe('system');
    expect(new ChatTemplate("{{ messages[0].role }}{# 'developer' #}").render(messages)).toBe('developer');
  });

  it('given arguments with reserved names, when rendered, then they are refused by name', () => {
    const template = new ChatTemplate('x', { bos_token: '<s>' });
    for (const name of ['messages', 'tools', 'raise_exception', 'range', 'bos_token', 'add_generation_prompt']) {
      const { fault, message } = faultOf(() => template.render([user], { templateArguments: { [name]: 1 } }));
      expect(fault).toBe('arguments');
      expect(message).toContain(name);
    }
  });

  it.each([
    ['{% for m in messages %}', 'template'],
    ['{{ messages | nosuchfilter }}', 'failed'],
    ['{{ range(1000000000) }}', 'template'],
    ['{{ range(0, 5, 0) }}', 'failed'],
    ["{{ raise_exception('no: ' + messages[0].role) }}", 'raised'],
    ['{% set ns = namespace(t="x") %}{% for i in range(40) %}{% set ns.t = ns.t + ns.t %}{% endfor %}', 'too-large'],
    ['{% for i in range(10000) %}{{ messages[0].content }}{% endfor %}', 'too-large'],
    [
      '{% for i in range(9999) %}{% for j in range(9999) %}{% for k in range(9999) %}{% set x = i %}{% endfor %}{% endfor %}{% endfor %}',
      'too-large',
    ],
  ])('given the template %s, when rendered, then it fails as %s in bounded time', (source, fault) => {
    const template = new ChatTemplate(source, {}, { maxCharacters: 10_000, maxMs: 50 });
    expect(faultOf(() => template.render([user])).fault).toBe(fault);
  });

  it('given data nested without end, when rendered, then the request is told that it is too large', () => {
    const nested = JSON.parse(`${'['.repeat(100_000)}${']'.repeat(100_000)}`);
    const template = new ChatTemplate('{{ tools | tojson }}');
    expect(faultOf(() => template.render([user], { tools: [nested] })).fault).toBe('too-large');
    const call = { function: { name: 'f', arguments: `{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}` } };
    expect(faultOf(() => template.render([{ role: 'assistant', tool_calls: [call] }])).fault).toBe('too-large');
  });

  it('given no tools, when a template asks for them, then they are none, not undefined', () => {
    const template = new ChatTemplate('{{ tools is none }} {{ documents is none }} {{ tools is defined }}');
    expect(template.render([user])).toBe('True True True');
    expect(template.render([user], { tools: [] })).toBe('True True True');
  });

  it('given names that every object has, when they are arguments, then they are passed like others', () => {
    const template = new ChatTemplate('{{ toString }}', { bos_token: '<s>' });
    expect(template.render([user], { templateArguments: { toString: 'x' } })).toBe('x');
  });

  it('given dates, when a template prints them, then they are in English', () => {
    const template = new ChatTemplate("{{ strftime_now('%A %a %d %B %b %Y %y %H:%M:%S %I %p %% %Q') }}", {}, { now });
    expect(template.render([user])).toBe('Thursday Thu 05 March Mar 2026 26 14:07:09 02 PM % %Q');
  });
});
