import type { INestApplication } from '@nestjs/common';
import { DocumentBuilder, type OpenAPIObject, SwaggerModule } from '@nestjs/swagger';
import { withNullTypes } from './null-types.js';

type Operation = { responses: Record<string, object> };

const LISTED = /^list/;

export interface AdminDocument {
  readonly paths: OpenAPIObject['paths'];
  readonly schemas: NonNullable<NonNullable<OpenAPIObject['components']>['schemas']>;
}

/** Paths and schemas of administration, usage, the fleet and the caller, from the controllers' own declarations, to go into the one document. */
export function adminDocument(app: INestApplication): AdminDocument {
  const { paths, components } = withNullTypes(SwaggerModule.createDocument(app, new DocumentBuilder().build()));
  const admin = Object.entries(paths).filter(([path]) => /^\/v1\/(admin\/|(usage|fleet|me)$)/.test(path));
  for (const [path, methods] of admin) {
    for (const operation of Object.values(methods as Record<string, Operation & { operationId?: string }>)) {
      operation.responses['default'] = {
        description: 'Refused or failed; see docs/errors.md.',
        content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
      };
      if (LISTED.test(operation.operationId ?? '')) wrapList(operation, path.startsWith('/v1/admin/'));
    }
  }
  return { paths: Object.fromEntries(admin), schemas: components?.schemas ?? {} };
}

/** Nest describes an array; what is answered has OpenAI's shape around it. @param isPaged  goes on after a `last_id` */
function wrapList({ responses }: Operation, isPaged: boolean): void {
  const content = (responses['200'] as { content?: Record<string, { schema: object }> }).content?.['application/json'];
  if (content === undefined) return;
  const id = { type: ['string', 'null'] };
  const properties = {
    object: { type: 'string', enum: ['list'] },
    data: content.schema,
    has_more: { type: 'boolean' },
  };
  const ids = isPaged ? { first_id: id, last_id: id } : {};
  const all = { ...properties, ...ids };
  content.schema = { type: 'object', required: Object.keys(all), properties: all };
}
