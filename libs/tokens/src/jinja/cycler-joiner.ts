import type { Arguments } from './arguments.js';
import { Attributes, Callable, fail, orElse, type Value } from './values.js';

/** jinja2's `cycler(a, b, …)`: `next()` gives one after the other and begins anew, `current` is the one that comes next. */
export function cycler({ positional: items }: Arguments): Value {
  if (items.length === 0) return fail('cycler() takes at least one item');
  let place = 0;
  const entries = new Map<string, Value>();
  const goTo = (next: number) => {
    place = next;
    entries.set('current', items[place] as Value).set('pos', place);
  };
  entries.set('items', items);
  entries.set(
    'next',
    new Callable('next', (given) => {
      if (given.length > 0) return fail('next() takes no arguments');
      const item = items[place] as Value;
      goTo((place + 1) % items.length);
      return item;
    }),
  );
  entries.set(
    'reset',
    new Callable('reset', () => {
      goTo(0);
      return null;
    }),
  );
  goTo(0);
  return new Attributes('cycler', entries);
}

/** jinja2's `joiner(sep)`: nothing at the first call, the separator at each later one. */
export function joiner(given: Arguments): Value {
  const separator = orElse(given.get(0, 'sep'), () => ', ');
  let isUsed = false;
  return new Callable('joiner', (positional, keywords) => {
    if (positional.length + keywords.size > 0) return fail('a joiner takes no arguments');
    if (isUsed) return separator;
    isUsed = true;
    return '';
  });
}
