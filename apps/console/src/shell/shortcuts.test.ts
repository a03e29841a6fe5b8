import { describe, expect, it } from 'vitest';
import { type KeyPress, matchShortcut } from './shortcuts.js';

const SHORTCUTS = [{ keys: 'n' }, { keys: 'g f' }, { keys: '?' }];
const press = (key: string, rest: Partial<KeyPress> = {}): KeyPress => ({
  ...{ key, atMs: 0, hasModifier: false, isInField: false },
  ...rest,
});

describe('matchShortcut', () => {
  it('given a key, then its shortcut is found', () => {
    expect(matchShortcut(SHORTCUTS, press('?'), undefined).found).toEqual({ keys: '?' });
  });

  it('given two keys one soon after the other, then theirs is; later it is not', () => {
    const { pending } = matchShortcut(SHORTCUTS, press('g'), undefined);
    expect(matchShortcut(SHORTCUTS, press('f', { atMs: 800 }), pending).found).toEqual({ keys: 'g f' });
    expect(matchShortcut(SHORTCUTS, press('f', { atMs: 5_000 }), pending).found).toBeUndefined();
  });

  it('given a first key that leads to nothing, then the second counts alone', () => {
    const { pending } = matchShortcut(SHORTCUTS, press('g'), undefined);
    expect(matchShortcut(SHORTCUTS, press('n'), pending).found).toEqual({ keys: 'n' });
  });

  it('given a field, or a key of the browser, then nothing is', () => {
    expect(matchShortcut(SHORTCUTS, press('n', { isInField: true }), undefined)).toEqual({});
    expect(matchShortcut(SHORTCUTS, press('n', { hasModifier: true }), undefined)).toEqual({});
  });
});
