import { describe, expect, it } from 'vitest';
import { ANONYMOUS, BUILT_IN_ROLES, type Principal } from '#lib/auth';
import { explainsPlacement, headerText, MOST_HEADER_CHARACTERS, placementText } from './placement-debug.js';

const withRoles = (...roles: string[]): Principal => ({ ...ANONYMOUS, kind: 'api-key', roles });

describe('who may know how requests are placed', () => {
  it('is everybody without authentication, and operators; and only who asks', () => {
    expect(explainsPlacement('placement', ANONYMOUS)).toBe(true);
    expect(explainsPlacement('timing, placement', withRoles(BUILT_IN_ROLES.operator))).toBe(true);
    expect(explainsPlacement('placement', withRoles(BUILT_IN_ROLES.user, BUILT_IN_ROLES.admin))).toBe(false);
    expect(explainsPlacement('placements', ANONYMOUS)).toBe(false);
    expect(explainsPlacement(undefined, ANONYMOUS)).toBe(false);
  });
});

describe('the text of a decision', () => {
  const candidates = Array.from({ length: 64 }, (_, index) => ({
    workerId: `wörker-${index}`,
    terms: Object.fromEntries(Array.from({ length: 10 }, (_term, term) => [`term${term}`, Math.E * index])),
    filteredBy: index < 5 ? 'full' : '',
  }));

  it('given a large fleet, then it is printable, not too long, has the chosen one first and says how many it leaves out', () => {
    const text = placementText(
      {
        strategy: 'predicted-ttft',
        candidates,
        chosenWorkerId: 'wörker-40',
        fetchedFromWorkerId: 'wörker-9',
        fetchedFromCacheIds: [],
      },
      MOST_HEADER_CHARACTERS,
    );
    expect(text).toMatch(/^[\x20-\x7e]+$/);
    expect(text.length).toBeLessThanOrEqual(MOST_HEADER_CHARACTERS);
    const told = JSON.parse(text);
    expect(told.candidates[0].worker).toBe('wörker-40');
    expect(told.fetched_from).toBe('wörker-9');
    expect(told.candidates.length + told.omitted).toBe(64);
    expect(headerText([text, text]).length).toBeLessThanOrEqual(MOST_HEADER_CHARACTERS);
  });

  it('given a small one, then those left out come last, with the reason', () => {
    const text = placementText(
      {
        strategy: 's',
        candidates: candidates.slice(3, 6),
        chosenWorkerId: '',
        fetchedFromWorkerId: '',
        fetchedFromCacheIds: [],
      },
      4_096,
    );
    expect(JSON.parse(text)).not.toHaveProperty('fetched_from');
    expect(JSON.parse(text).candidates.map(({ filtered_by }: { filtered_by?: string }) => filtered_by)).toEqual([
      undefined,
      'full',
      'full',
    ]);
  });
});
