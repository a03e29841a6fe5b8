import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { AdapterError } from './adapter-error.js';
import { ModulePatterns } from './module-patterns.js';

interface Recorded {
  readonly modules: readonly string[];
  /** The key that PEFT takes for each module, or null. */
  readonly sets: readonly { readonly keys: readonly string[]; readonly taken: readonly (string | null)[] }[];
}

const { modules, sets } = JSON.parse(
  readFileSync(new URL('../../test-data/module-patterns.json', import.meta.url), 'utf8'),
) as Recorded;
const compile = (keys: readonly string[]) =>
  ModulePatterns.compile('adapter_config.json', Object.fromEntries(keys.map((key, index) => [key, index])));

describe('patterns of modules', () => {
  it.each(sets)(
    'given $keys, when modules are looked up, then each has the key that PEFT takes',
    async ({ keys, taken }) => {
      const patterns = await compile(keys);
      const found = modules.map((module) => keys[patterns.valueOf(module) ?? -1] ?? null);
      expect(found).toEqual(taken);
    },
  );

  it.each([
    ['(?<=self_)attn.q_proj', /cannot be read by RE2, which knows no looking around/],
    ['(q|v)_proj\\1', /cannot be read by RE2, which knows no looking around and no references back/],
    ['layers.(', /cannot be read by RE2/],
    ['layers.[0', /cannot be read by RE2/],
    ['layers.1{,2}', /a count without its least one/],
    ['[[:alpha:]]+_proj', /a class by name/],
    [`(${'a|'.repeat(600)}b)`, /has more than 1000 characters/],
    ['(?:(?:.{30}){30}|x){20}', /too large|cannot be read by RE2/],
  ])('given %s, when compiled, then it is refused with the file and the reason', async (key, reason) => {
    const compiling = compile([key]);
    await expect(compiling).rejects.toThrow(AdapterError);
    await expect(compiling).rejects.toThrow(reason);
    await expect(compiling).rejects.toThrow(/^adapter_config\.json: the pattern "/);
  });

  it('given expressions that would try every way to part a name, when they are looked up, then each ends with its answer', async () => {
    const name = `${'a'.repeat(200)}!`;
    const patterns = await compile(['(?:a+)+b', '(?:a|a)*c', '(?:a*)*d', '(?:.*a){12}e']);
    expect(patterns.valueOf(name)).toBeUndefined(); // for a backtracking engine, not in this world
    expect(patterns.valueOf(`${'a'.repeat(200)}d`)).toBe(2);
  });
});
