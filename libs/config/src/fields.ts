import { z } from 'zod';

/** One leaf of the schema, as the environment overlay and the generated documentation see it. */
export interface ConfigField {
  /** Where it stands in `hydra.yaml`, for example `gateway.httpPort`, `models[].weights`. */
  readonly path: readonly string[];
  readonly kind: 'string' | 'number' | 'boolean' | 'enum' | 'list' | 'map';
  /** The values of an `enum`. */
  readonly choices?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly isInteger?: boolean;
  readonly isOptional: boolean;
  readonly default?: unknown;
  readonly description: string;
  /** Environment variable that overrides it. */
  readonly env?: string;
  readonly isSecret: boolean;
  /** Whether a change of the file counts at once, or with the next start. */
  readonly reload: 'live' | 'restart';
}

interface FieldMeta {
  readonly description?: string;
  readonly env?: string;
  readonly secret?: boolean;
  readonly reload?: 'live';
}

/** All leaves below a schema, in order. */
export function configFields(schema: z.ZodType, path: readonly string[] = []): ConfigField[] {
  const { inner, meta, isOptional, fallback } = unwrap(schema);
  if (inner instanceof z.ZodObject) {
    return Object.entries(inner.shape).flatMap(([key, child]) => configFields(child as z.ZodType, [...path, key]));
  }
  if (inner instanceof z.ZodArray && unwrap(inner.element as z.ZodType).inner instanceof z.ZodObject) {
    const last = path.at(-1) ?? '';
    return configFields(inner.element as z.ZodType, [...path.slice(0, -1), `${last}[]`]);
  }
  return [
    {
      path,
      ...leafType(inner),
      isOptional,
      default: fallback,
      description: meta.description ?? '',
      env: meta.env,
      isSecret: meta.secret === true,
      reload: meta.reload ?? 'restart',
    },
  ];
}

function unwrap(schema: z.ZodType): { inner: z.ZodType; meta: FieldMeta; isOptional: boolean; fallback?: unknown } {
  let inner = schema;
  let meta: FieldMeta = {};
  let isOptional = false;
  let fallback: unknown;
  for (;;) {
    meta = { ...(inner.meta() as FieldMeta | undefined), ...meta };
    if (inner instanceof z.ZodDefault || inner instanceof z.ZodPrefault) {
      fallback ??= inner.def.defaultValue;
      inner = inner.def.innerType as z.ZodType;
    } else if (inner instanceof z.ZodOptional) {
      isOptional = true;
      inner = inner.def.innerType as z.ZodType;
    } else {
      return { inner, meta, isOptional, fallback };
    }
  }
}

function leafType(schema: z.ZodType): Pick<ConfigField, 'kind' | 'choices' | 'minimum' | 'maximum' | 'isInteger'> {
  if (schema instanceof z.ZodEnum) return { kind: 'enum', choices: schema.options.map(String) };
  if (schema instanceof z.ZodNumber) {
    const isInteger = schema.isInt;
    const safe = (value: number | null) =>
      value !== null && Math.abs(value) < Number.MAX_SAFE_INTEGER ? value : undefined;
    return { kind: 'number', isInteger, minimum: safe(schema.minValue), maximum: safe(schema.maxValue) };
  }
  if (schema instanceof z.ZodBoolean) return { kind: 'boolean' };
  if (schema instanceof z.ZodArray) return { kind: 'list' };
  if (schema instanceof z.ZodRecord) return { kind: 'map' };
  return { kind: 'string' };
}

/** What a field takes, in words: `a whole number from 0 to 65535`. */
export function expectation(field: ConfigField): string {
  switch (field.kind) {
    case 'enum':
      return `one of ${field.choices?.map((choice) => `\`${choice}\``).join(', ')}`;
    case 'boolean':
      return '`true` or `false`';
    case 'list':
      return 'a list of texts';
    case 'map':
      return 'a map from text to text';
    case 'string':
      return 'a text';
    case 'number': {
      const noun = field.isInteger ? 'a whole number' : 'a number';
      if (field.minimum !== undefined && field.maximum !== undefined) {
        return `${noun} from ${field.minimum} to ${field.maximum}`;
      }
      return field.minimum === undefined ? noun : `${noun}, at least ${field.minimum}`;
    }
    default:
      return field.kind satisfies never;
  }
}

/** A value for an error message, cut; never a secret. */
export function shown(value: unknown, field: ConfigField | undefined): string {
  return field?.isSecret ? 'something else (a secret, not shown)' : inWords(value).slice(0, 100);
}

/** Also of what JSON has no words for: a message about a wrong value is not to fail for the value. */
function inWords(value: unknown): string {
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return typeof value;
  }
}
