import { type ArgumentMetadata, Inject, Injectable, type PipeTransform } from '@nestjs/common';
import { plainToInstance } from 'class-transformer';
import { type ValidationError, validateSync } from 'class-validator';
import type { HydraConfig } from '#lib/config';
import { ApiError, parseJsonBody } from '#lib/openai';
import { GATEWAY_CONFIG } from '../gateway-config.js';

/** Makes a body of bytes, or a query, into the class that the handler declares; what the class does not know is refused. */
@Injectable()
export class DtoPipe implements PipeTransform {
  constructor(@Inject(GATEWAY_CONFIG) private readonly config: HydraConfig) {}

  transform(value: unknown, { type, metatype }: ArgumentMetadata): unknown {
    if (metatype === undefined || (type !== 'body' && type !== 'query')) return value;
    const plain = type === 'body' ? this.parse(value) : value;
    const dto = plainToInstance(metatype, plain, { enableImplicitConversion: type === 'query' });
    const [first] = validateSync(dto as object, {
      whitelist: true,
      forbidNonWhitelisted: true,
      stopAtFirstError: true,
    });
    if (first === undefined) return dto;
    const { param, message } = flatten(first);
    throw new ApiError('invalid_value', `Invalid '${param}': ${message}.`, { param });
  }

  private parse(body: unknown): unknown {
    return parseJsonBody((body as Buffer | undefined) ?? Buffer.alloc(0), this.config.gateway.bodyDepth);
  }
}

/** The innermost problem, by its path: `caps.max_tokens`, `models[2]`. */
function flatten(
  { property, constraints, children = [] }: ValidationError,
  above = '',
): { param: string; message: string } {
  const param = /^\d+$/.test(property) ? `${above}[${property}]` : above === '' ? property : `${above}.${property}`;
  const [child] = children;
  if (child !== undefined) return flatten(child, param);
  return { param: param.slice(0, 128), message: Object.values(constraints ?? {})[0] ?? 'is not valid' };
}
