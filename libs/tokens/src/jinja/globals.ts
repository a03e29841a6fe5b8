import { ChatTemplateError } from '../chat-template-error.js';
import { strftime } from '../strftime.js';
import { Arguments } from './arguments.js';
import type { RenderBounds } from './bounds.js';
import { cycler, joiner } from './cycler-joiner.js';
import { print } from './print.js';
import { Attributes, Callable, fail, isDict, iterate, type Keywords, type Value } from './values.js';

const CONSTANTS: Readonly<Record<string, Value>> = {
  true: true,
  True: true,
  false: false,
  False: false,
  none: null,
  None: null,
};

/** Variables of every template, with the names that a request may not take over. */
export const TEMPLATE_GLOBALS: ReadonlySet<string> = new Set([
  ...Object.keys(CONSTANTS),
  'range',
  'dict',
  'namespace',
  'cycler',
  'joiner',
  'raise_exception',
  'strftime_now',
]);

/** What transformers gives every template: jinja2's globals, the clock, and a way to refuse a chat. */
export function templateGlobals(now: () => Date, bounds: RenderBounds): Readonly<Record<string, Value>> {
  const define = (name: string, call: (given: Arguments) => Value) =>
    new Callable(name, (positional, keywords) => call(new Arguments(name, positional, keywords)));
  return {
    ...CONSTANTS,
    range: define('range', (given) => range(given, bounds)),
    dict: define('dict', (given) => new Map<Value, Value>(entries(given))),
    namespace: define('namespace', (given) => new Attributes('namespace', new Map(entries(given)))),
    cycler: define('cycler', cycler),
    joiner: define('joiner', joiner),
    strftime_now: define('strftime_now', (given) => strftime(now(), given.text(0, 'format'))),
    raise_exception: define('raise_exception', (given) => {
      throw new ChatTemplateError('raised', print(given.required(0, 'message'), bounds));
    }),
  };
}

/** Of a dict or of pairs, then of the named arguments. */
function entries({ positional, keywords }: Arguments): [string, Value][] {
  const given = positional[0];
  const pairs = given === undefined ? [] : isDict(given) ? [...given] : iterate(given).map(iterate);
  const named = pairs.map(([name, value]): [string, Value] =>
    typeof name === 'string' && value !== undefined ? [name, value] : fail('a name and a value were expected'),
  );
  return [...named, ...(keywords as Keywords)];
}

function range(given: Arguments, bounds: RenderBounds): Value {
  const [start, stop] =
    given.get(1, 'stop') === undefined
      ? [0, given.integer(0, 'stop', 0)]
      : [given.integer(0, 'start', 0), given.integer(1, 'stop', 0)];
  const step = given.integer(2, 'step', 1);
  if (step === 0) return fail('range() arg 3 must not be zero');
  const length = Math.max(0, Math.ceil((stop - start) / step));
  bounds.items(length);
  return Array.from({ length }, (_, i) => start + i * step);
}
