/** Says of a schema of OpenAPI 3.0, as Nest makes them, in the words of 3.1 (JSON Schema 2020-12) what may be null: `nullable` is unknown there. */
export function withNullTypes<T>(schema: T): T {
  return mapped(schema) as T; // the same but for that
}

function mapped(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(mapped);
  const entries = Object.entries(value).map(([name, below]) => [name, mapped(below)] as const);
  const { nullable, ...schema } = Object.fromEntries(entries);
  if (typeof nullable !== 'boolean') return Object.fromEntries(entries); // no schema, or a property of that name
  if (!nullable) return schema;
  if (typeof schema['type'] !== 'string') return { anyOf: [schema, { type: 'null' }] };
  const values = Array.isArray(schema['enum']) ? { enum: [...schema['enum'], null] } : {};
  return { ...schema, type: [schema['type'], 'null'], ...values };
}
