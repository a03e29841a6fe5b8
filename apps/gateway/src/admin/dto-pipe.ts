import { type ArgumentMetadata, Inject, Injectable, type PipeTransform } from '@nestjs/common';
import { plainToInstance } from 'class-transformer';
import { type ValidationError, validateSync } from 'class-validator';
import type { HydraConfig } from '#lib/config';
import { ApiError, missingParameter, parseJsonBody } from '#lib/openai';
import { GATEWAY_CONFIG } from '../gateway-config.js';

/**
 * Makes a body of bytes, or a query, into the class that the handler declares, which says whether there may be none; what the class does not know is refused. A
 * field that is null is one that is absent, whatever field it is: defaults count, and what must be there is missing.
 */
@Injectable()
export class DtoPipe implements PipeTransform {
  constructor(@Inject(GATEWAY_CONFIG) private readonly config: HydraConfig) {}

  transform(value: unknown, { type, metatype }: ArgumentMetadata): unknown {
    if (metatype === undefined || (type !== 'body' && type !== 'query')) return value;
    const isAbsent = type === 'body' && !(value as Buffer | undefined)?.length && 'mayBeAbsent' in metatype;
    if (type === 'query') assertOnce(value as Readonly<Record<string, unknown>>);
    const plain = isAbsent ? {} : type === 'body' ? withoutNulls(this.parse(value)) : value;
    const dto = plainToInstance(metatype, plain, { enableImplicitConversion: type === 'query' });
    const [first] = validateSync(dto as object, { whitelist: true, forbidNonWhitelisted: true });
    if (first === undefined) return dto;
    throw toApiError(first);
  }

  private parse(body: unknown): unknown {
    return parseJsonBody((body as Buffer | undefined) ?? Buffer.alloc(0), this.config.gateway.bodyDepth);
  }
}

/** @throws ApiError for a parameter that is there several times, which says nothing clear */
function assertOnce(query: Readonly<Record<string, unknown>>): void {
  const repeated = Object.keys(query).find((name) => Array.isArray(query[name]));
  if (repeated === undefined) return;
  const param = repeated.slice(0, 128);
  throw new ApiError('invalid_value', `Invalid '${param}': expected it once.`, { param });
}

/** Without the fields of objects that are null; entries of arrays stay what they are. As deep as the body, which is bounded. */
function withoutNulls(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(withoutNulls);
  const kept = Object.entries(value).filter(([, field]) => field !== null);
  return Object.fromEntries(kept.map(([name, field]) => [name, withoutNulls(field)]));
}

/** Rules of class-validator that a value of the wrong type breaks; what else is wrong with it follows from that. */
const TYPE_RULES = ['isArray', 'isString', 'isInt', 'isObject', 'nestedValidation'];

/** The innermost problem, by its path: `caps.max_tokens`, `models[2]`. */
function toApiError({ property, value, constraints = {}, children = [] }: ValidationError, above = ''): ApiError {
  const path = /^\d+$/.test(property) ? `${above}[${property}]` : above === '' ? property : `${above}.${property}`;
  const [child] = children;
  if (child !== undefined) return toApiError(child, path);
  const param = path.slice(0, 128);
  if (value === undefined && !('whitelistValidation' in constraints)) return missingParameter(param);
  const typeRule = TYPE_RULES.find((rule) => rule in constraints);
  const message =
    (typeRule === undefined ? Object.values(constraints).at(-1) : constraints[typeRule]) ?? 'is not valid';
  // As for completions, 1.5 in the place of a whole number is the wrong type.
  return new ApiError(typeRule === undefined ? 'invalid_value' : 'invalid_type', `Invalid '${param}': ${message}.`, {
    param,
  });
}
