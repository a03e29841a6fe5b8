import { isEqual } from './compare.js';
import type { Method } from './method.js';
import { type Dict, fail, orElse, Tuple, type Value } from './values.js';

/** Methods that would change the value: templates run in a sandbox of values that do not change. */
const CHANGING_DICT = ['clear', 'pop', 'popitem', 'setdefault', 'update'];
const CHANGING_LIST = ['append', 'clear', 'extend', 'insert', 'pop', 'remove', 'reverse', 'sort'];

export const dictMethods: ReadonlyMap<string, Method<Dict>> = new Map<string, Method<Dict>>([
  ['get', (dict, given) => orElse(dict.get(given.required(0, 'key')), () => given.get(1, 'default') ?? null)],
  ['items', (dict) => [...dict].map((entry) => new Tuple(entry))],
  ['keys', (dict) => [...dict.keys()]],
  ['values', (dict) => [...dict.values()]],
  ['copy', (dict) => new Map(dict)],
  ...CHANGING_DICT.map(refused<Dict>),
]);

export const listMethods: ReadonlyMap<string, Method<readonly Value[]>> = new Map<string, Method<readonly Value[]>>([
  ['count', (items, given, bounds) => items.filter((item) => isEqual(item, given.required(0, 'value'), bounds)).length],
  [
    'index',
    (items, given, bounds) => {
      const index = items.findIndex((item) => isEqual(item, given.required(0, 'value'), bounds));
      return index === -1 ? fail('the value is not in the list') : index;
    },
  ],
  ['copy', (items) => [...items]],
  ...CHANGING_LIST.map(refused<readonly Value[]>),
]);

function refused<Receiver>(name: string): [string, Method<Receiver>] {
  return [name, () => fail(`access to attribute '${name}' is unsafe: a template may not change its values`)];
}
