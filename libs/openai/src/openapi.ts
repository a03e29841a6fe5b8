import { chatValidator } from './chat-request.js';
import { completionValidator } from './completion-request.js';
import { EMBEDDING_LIST_SCHEMA } from './embedding-answer.js';
import { embeddingValidator } from './embedding-request.js';
import type { JsonSchema } from './json-schema.js';
import { RESPONSE_SCHEMAS } from './response-schemas.js';

/**
 * Schemas for `components.schemas` of an OpenAPI 3.1 document, whose schemas are JSON Schema 2020-12. Requests are the very
 * schemas that are validated with; `$ref`s among them point to `#/components/schemas/…`.
 */
export function openApiSchemas(): Readonly<Record<OpenApiSchemaName, JsonSchema>> {
  return structuredClone({
    CompletionRequest: completionValidator.jsonSchema,
    ChatCompletionRequest: chatValidator.jsonSchema,
    EmbeddingRequest: embeddingValidator.jsonSchema,
    EmbeddingList: EMBEDDING_LIST_SCHEMA,
    ...RESPONSE_SCHEMAS,
  });
}

export type OpenApiSchemaName =
  | 'CompletionRequest'
  | 'ChatCompletionRequest'
  | 'EmbeddingRequest'
  | 'EmbeddingList'
  | keyof typeof RESPONSE_SCHEMAS;
