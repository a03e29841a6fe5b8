import { useEffect, useRef, useState } from 'preact/hooks';

const STORAGE_KEY = 'hydra-shortcuts';

/** Something that a key does, wherever the focus is but in a field. */
export interface Shortcut {
  /** As in `KeyboardEvent.key`; two, apart by a space, are pressed one after the other. */
  readonly keys: string;
  readonly does: string;
  run(): void;
}

/** A second key counts for so long after the first, in milliseconds. */
const SEQUENCE_MS = 1_500;

export interface KeyPress {
  readonly key: string;
  readonly atMs: number;
  readonly hasModifier: boolean;
  /** Where keys are text. */
  readonly isInField: boolean;
}

/**
 * Finds the shortcut that a key completes.
 * @param before  the key pressed before it
 * @returns the shortcut, if any, and what the next key is to be judged with
 */
export function matchShortcut<T extends { readonly keys: string }>(
  shortcuts: readonly T[],
  press: KeyPress,
  before: KeyPress | undefined,
): { readonly found?: T; readonly pending?: KeyPress } {
  if (press.hasModifier || press.isInField) return {};
  if (before !== undefined && press.atMs - before.atMs <= SEQUENCE_MS) {
    const found = shortcuts.find(({ keys }) => keys === `${before.key} ${press.key}`);
    if (found !== undefined) return { found };
  }
  const found = shortcuts.find(({ keys }) => keys === press.key);
  return found === undefined ? { pending: press } : { found };
}

/** Shortcuts of one character can be switched off, since speech and stray keys set them off (WCAG 2.1.4). */
export function useShortcuts(shortcuts: readonly Shortcut[]): [boolean, (isOn: boolean) => void] {
  const [isOn, setOn] = useState(() => localStorage.getItem(STORAGE_KEY) !== 'off');
  const latest = useRef(shortcuts);
  latest.current = shortcuts;
  useEffect(() => {
    localStorage.setItem(STORAGE_KEY, isOn ? 'on' : 'off');
    if (!isOn) return;
    let before: KeyPress | undefined;
    const listen = (event: KeyboardEvent) => {
      if (event.defaultPrevented || document.querySelector('dialog[open]') !== null) return;
      const { found, pending } = matchShortcut(latest.current, toPress(event), before);
      before = pending;
      if (found === undefined) return;
      event.preventDefault();
      found.run();
    };
    addEventListener('keydown', listen);
    return () => removeEventListener('keydown', listen);
  }, [isOn]);
  return [isOn, setOn];
}

function toPress(event: KeyboardEvent): KeyPress {
  const { key, timeStamp, ctrlKey, metaKey, altKey, target } = event;
  const isInField = target instanceof Element && target.closest('input, textarea, select, [contenteditable]') !== null;
  return { key, atMs: timeStamp, hasModifier: ctrlKey || metaKey || altKey, isInField };
}
