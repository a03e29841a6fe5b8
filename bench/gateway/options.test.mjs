import { describe, expect, it } from 'vitest';
import { parseOptions } from './options.mjs';

describe('options of bench-gateway', () => {
  it('given none, then every case is wanted', () => {
    expect(parseOptions([]).isWanted('flood')).toBe(true);
  });

  it('given a list, then only its cases are wanted, and an unknown one is told with the known ones', () => {
    const { isWanted } = parseOptions(['--only', 'plain,flood']);
    expect(['plain', 'paced', 'flood'].filter(isWanted)).toEqual(['plain', 'flood']);
    expect(() => parseOptions(['--only', 'plan'])).toThrow('There is no case "plan"; there are plain, paced');
  });
});
