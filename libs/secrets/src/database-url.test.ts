import { expect, it } from 'vitest';
import { DATABASE_URL } from './database-url.js';

it.each<[string, string | undefined]>([
  ['sqlite:~/hydra.db', '~/hydra.db'],
  ['sqlite::memory:', ':memory:'],
  ['postgres://user:secret@host/x', undefined],
  ['postgresql://host/x', undefined],
])('given %s, then it is a database, in a file or on a server', (url, file) => {
  expect(DATABASE_URL.exec(url)?.groups?.['file']).toBe(file);
  expect(DATABASE_URL.test(url)).toBe(true);
});

it.each(['', 'sqlite:', 'mysql://host/x', ' postgres://host', 'postgres:host', 'file.db'])(
  'given %j, then it is none',
  (url) => expect(DATABASE_URL.test(url)).toBe(false),
);
