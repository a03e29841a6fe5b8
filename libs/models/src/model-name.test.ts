import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CATALOGUE } from './catalogue.js';
import { expandHome, parseModelName } from './model-name.js';

const [smollm2] = CATALOGUE;

describe('parseModelName', () => {
  it.each([
    ['smollm2-135m-instruct', { kind: 'catalogue', entry: smollm2 }],
    ['SmolLM2', { kind: 'catalogue', entry: smollm2 }],
    ['org/name', { kind: 'hub', repo: 'org/name' }],
    ['org/na.me-1@v1.0', { kind: 'hub', repo: 'org/na.me-1', revision: 'v1.0' }],
    ['org/name@refs/pr/1', { kind: 'hub', repo: 'org/name', revision: 'refs/pr/1' }],
    ['org/name:sub/a.gguf', { kind: 'hub', repo: 'org/name', file: 'sub/a.gguf' }],
    ['org/name@abc:a.gguf', { kind: 'hub', repo: 'org/name', revision: 'abc', file: 'a.gguf' }],
    ['/models/x', { kind: 'path', path: '/models/x' }],
    ['./x', { kind: 'path', path: resolve('x') }],
    ['..', { kind: 'path', path: resolve('..') }],
    ['~/x', { kind: 'path', path: join('/home/me', 'x') }],
    ['model.gguf', { kind: 'path', path: resolve('model.gguf') }],
    ['folder/model.gguf', { kind: 'path', path: resolve('folder/model.gguf') }],
  ])('given %s, when read, then its kind is known', (name, expected) => {
    expect(parseModelName(name, CATALOGUE, '/home/me')).toEqual(expected);
  });

  it.each(['models/x', 'org/name', 'x'])('given the path %s that exists, when read, then it is a path', (name) => {
    const exists = (path: string) => path === name;
    expect(parseModelName(name, CATALOGUE, '/home/me', exists)).toEqual({ kind: 'path', path: resolve(name) });
  });

  it('given a folder that is called as a model of the catalogue, when read, then it is that model', () => {
    expect(parseModelName('smollm2', CATALOGUE, '/home/me', () => true)).toEqual({ kind: 'catalogue', entry: smollm2 });
  });

  it.each(['nonsense', '', 'a/b/c', 'org/..', 'org/name@', 'a b/c', 'org/name:a.bin'])(
    'given %j, when read, then the error lists the catalogue',
    (name) => {
      expect(() => parseModelName(name, CATALOGUE)).toThrow(/^Unknown model .*smollm2-135m-instruct.*org\/name/);
    },
  );

  it('given the catalogue, when all names and aliases are looked at, then none is twice', () => {
    const names = CATALOGUE.flatMap((entry) => [entry.name, ...entry.aliases]);
    expect(new Set(names).size).toBe(names.length);
    expect(names).toEqual(names.map((name) => name.toLowerCase()));
  });
});

describe('expandHome', () => {
  it.each([
    ['~/.cache/x', join('/home/me', '.cache/x')],
    ['~', '/home/me'],
    ['/abs', '/abs'],
    ['~other/x', resolve('~other/x')],
  ])('given %s, when expanded, then it is %s', (folder, expected) => {
    expect(expandHome(folder, '/home/me').replace(/\/$/, '')).toBe(expected);
  });
});
