import { z } from 'zod';

/** JSON Schema 2020-12, as far as our schemas use it. */
export interface JsonSchema {
  type?: string | string[];
  description?: string;
  default?: unknown;
  examples?: unknown[];
  enum?: unknown[];
  const?: unknown;
  properties?: Record<string, JsonSchema>;
  required?: string[];
  additionalProperties?: JsonSchema | boolean;
  propertyNames?: JsonSchema;
  items?: JsonSchema | false;
  anyOf?: JsonSchema[];
  [keyword: string]: unknown;
}

/**
 * A zod schema as JSON Schema without `anyOf`: `string | null` becomes `type: ["string", "null"]`, and so on for every
 * union whose branches differ in type. The compiled validator is then one pass with one error, in place of a trial per
 * branch with an error each. What JSON Schema says the same about unknown keys with less is left out.
 */
export function toJsonSchema(schema: z.ZodType): JsonSchema {
  const { $schema: _, ...document } = z.toJSONSchema(schema, { io: 'input' });
  const withoutUndefined: JsonSchema = JSON.parse(JSON.stringify(document));
  return flattened(withoutUndefined);
}

function flattened(schema: JsonSchema): JsonSchema {
  const { anyOf, additionalProperties, ...rest } = schema;
  const result: JsonSchema = { ...rest };
  if (additionalProperties !== undefined && !isEmpty(additionalProperties)) {
    result.additionalProperties =
      typeof additionalProperties === 'boolean' ? additionalProperties : flattened(additionalProperties);
  }
  if (rest.properties) {
    result.properties = Object.fromEntries(
      Object.entries(rest.properties).map(([name, property]) => [name, flattened(property)]),
    );
  }
  if (rest.items) result.items = flattened(rest.items);
  return anyOf ? { ...mergedByType(anyOf.map(flattened)), ...result } : result;
}

/** One schema for branches of different types: each keyword applies to its own type only. */
function mergedByType(branches: readonly JsonSchema[]): JsonSchema {
  const merged: JsonSchema = {};
  const types: string[] = [];
  const constrained = branches.find((branch) => branch.enum !== undefined);
  for (const branch of branches) {
    const { type, ...keywords } = branch;
    const own = type === undefined ? [] : [type].flat();
    const overlapping = own.some((name) => types.some((other) => numeric(name) === numeric(other)));
    if (own.length === 0 || overlapping)
      throw new Error(`union cannot be told apart by type: ${JSON.stringify(branches)}`);
    types.push(...own);
    Object.assign(merged, keywords);
  }
  if (constrained) {
    if (types.length !== 2 || types[1] !== 'null') throw new Error('an enumeration can only be joined with null');
    merged.enum = [...(constrained.enum ?? []), null];
  }
  return { type: types, ...merged };
}

function numeric(type: string): string {
  return type === 'integer' ? 'number' : type;
}

function isEmpty(schema: JsonSchema | boolean): boolean {
  return typeof schema === 'object' && Object.keys(schema).length === 0;
}
