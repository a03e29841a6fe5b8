/**
 * What columns that end in `Json` hold. Nulls in them, which earlier versions let in, are read as nothing: a list without an entry, which
 * grants nothing, and a field that is absent.
 */

export function parseList<T extends string>(json: string): T[] {
  const value: unknown = JSON.parse(json);
  return Array.isArray(value) ? value.filter((entry): entry is T => entry !== null) : [];
}

export function parseRecord<T extends object>(json: string): T {
  const value: unknown = JSON.parse(json);
  const fields = typeof value === 'object' && value !== null ? Object.entries(value) : [];
  return Object.fromEntries(fields.filter(([, field]) => field !== null)) as T; // written from a T
}
