import { describe, expect, it } from 'vitest';
import { normalizedName, parseHtml } from './simple-api.js';

const PAGE = new URL('https://index.example/simple/llm-tiny/');
const HASH = 'ab'.repeat(32);

describe('parseHtml', () => {
  it('given links in every spelling, when parsed, then names, addresses and hashes are right', () => {
    const html = `<html><body><a href="../../f/a-1-py3-none-any.whl#sha256=${HASH.toUpperCase()}">a</a>
      <A class='x' HREF='https://files.example/b%2B1.whl?x=1&amp;y=2'>b</A> <a href=c.whl#md5=00>c</a> <a name="no">d</a>`;
    expect(parseHtml(html, PAGE)).toEqual([
      { fileName: 'a-1-py3-none-any.whl', url: new URL('https://index.example/f/a-1-py3-none-any.whl'), sha256: HASH },
      { fileName: 'b+1.whl', url: new URL('https://files.example/b%2B1.whl?x=1&y=2'), sha256: undefined },
      { fileName: 'c.whl', url: new URL('https://index.example/simple/llm-tiny/c.whl'), sha256: undefined },
    ]);
  });

  it('given a base, when parsed, then links are relative to it', () => {
    const [file] = parseHtml('<head><base href="https://other.example/x/"></head><a href="y.whl">', PAGE);
    expect(file?.url.href).toBe('https://other.example/x/y.whl');
  });
});

describe('normalizedName', () => {
  it.each(['LLM.Tiny', 'llm__tiny', 'llm-_.tiny'])('given %s, when normalized, then it is llm-tiny', (name) => {
    expect(normalizedName(name)).toBe('llm-tiny');
  });
});
