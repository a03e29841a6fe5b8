/** Where a database is: `sqlite:PATH`, with the path as `file`, or the URL of PostgreSQL. It may hold a password, so no message repeats it. */
export const DATABASE_URL = /^(sqlite:(?<file>.+)|postgres(ql)?:\/\/)/;

export const DATABASE_URL_EXPECTED = 'expected `sqlite:PATH` or a URL that begins with `postgres://`';
