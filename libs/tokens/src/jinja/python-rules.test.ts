import { describe, expect, it } from 'vitest';
import { readGolden } from '../../testing/text-fixtures.js';
import { ChatTemplate } from '../chat-template.js';

interface Case {
  readonly template: string;
  /** What jinja2 wrote, as transformers sets it up. */
  readonly text?: string;
  /** The class of what it raised. */
  readonly raised?: string;
}

const { setup, cases } = readGolden<
  { readonly now: string; readonly messages: { role: string; content: string }[] },
  Case
>('template-golden.jsonl');

describe('templates', () => {
  it.each(cases)('given $template, when rendered, then it is as with jinja2 in Python', ({ template, text }) => {
    const render = () =>
      new ChatTemplate(template, { bos_token: '<s>' }, { now: () => new Date(setup.now) }).render(setup.messages);
    if (text === undefined) expect(render).toThrow();
    else expect(render()).toBe(text);
  });

  it.each([
    "{{ 'x' * 999999999 }}",
    "{{ 'x' | center(999999999) }}",
    "{{ '%999999999d' % 1 }}",
    "{{ '{:999999999}'.format(1) }}",
    '{% set ns = namespace(l=[1]) %}{% for i in range(40) %}{% set ns.l = ns.l + ns.l %}{% endfor %}',
    '{% set ns = namespace(l=[1]) %}{% for i in range(60) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ ns.l }}',
    '{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}',
  ])('given %s, when rendered, then it ends in bounded time and memory', (template) => {
    const bounded = new ChatTemplate(template, {}, { maxCharacters: 10_000, maxMs: 50 });
    expect(() => bounded.render(setup.messages)).toThrow(/more than|longer than|too large/);
  });
});
