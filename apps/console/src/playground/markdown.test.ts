import { type ComponentChildren, isValidElement } from 'preact';
import { describe, expect, it } from 'vitest';
import { Markdown } from './markdown.js';

interface Drawn {
  readonly tags: string[];
  readonly texts: string[];
  readonly links: string[];
}

/** What would be drawn. */
function draw(text: string): Drawn {
  const drawn: Drawn = { tags: [], texts: [], links: [] };
  const visit = (node: ComponentChildren): void => {
    if (Array.isArray(node)) {
      for (const child of node) visit(child);
    } else if (!isValidElement(node)) {
      if (node !== null && node !== undefined) drawn.texts.push(String(node));
    } else {
      expect(node.props).not.toHaveProperty('dangerouslySetInnerHTML');
      drawn.tags.push(String(node.type));
      const { href, children } = node.props as { href?: string; children?: ComponentChildren };
      if (href !== undefined) drawn.links.push(href);
      visit(children);
    }
  };
  visit(Markdown({ text }));
  return drawn;
}

describe('Markdown', () => {
  it('given what models write, then it has its elements', () => {
    const text =
      '# Title\n\n1. **bold** and `code`\n2. *two*\n\n```js\nlet a;\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n> said\n\n---\n';
    const { tags, texts } = draw(text);
    for (const tag of ['h3', 'ol', 'li', 'strong', 'em', 'code', 'pre', 'table', 'th', 'td', 'blockquote', 'hr']) {
      expect(tags).toContain(tag);
    }
    expect(texts).toContain('let a;');
  });

  it.each([
    '<img src=x onerror=alert(1)>',
    'text <script>alert(1)</script>',
    '<a href="javascript:alert(1)">x</a>',
    '<iframe src="https://example.org"></iframe>',
  ])('given HTML (%s), then it stays text', (text) => {
    const { tags, texts, links } = draw(text);
    expect(tags.filter((tag) => !['div', 'p'].includes(tag))).toEqual([]);
    expect(links).toEqual([]);
    expect(texts.join('')).toContain(text.slice(-8));
  });

  it.each([
    '[x](javascript:alert(1))',
    '[x](data:text/html,x)',
    '[x](//example.org)',
    '[x](/v1/admin)',
    '![x](file:///etc)',
  ])('given a link to something else than the web (%s), then it is no link', (text) => {
    expect(draw(text).links).toEqual([]);
  });

  it('given an image, then it is a link: nothing is loaded from elsewhere', () => {
    const { tags, links } = draw('![a cat](https://example.org/cat.png)');
    expect(tags).not.toContain('img');
    expect(links).toEqual(['https://example.org/cat.png']);
  });

  it.each([1, 3, 10_000])('given quotes nested %i times, then it is drawn', (depth) => {
    const { tags, texts } = draw(`${'>'.repeat(depth)} deep`);
    expect(tags.length).toBeLessThan(100);
    expect(texts.join('')).toContain('deep');
  });
});
