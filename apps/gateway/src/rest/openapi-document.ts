import type { OpenAPIObject } from '@nestjs/swagger';
import { openApiSchemas } from '#lib/openai';
import type { AdminDocument } from '../admin/admin-document.js';

const REQUEST_ID_HEADERS = {
  'x-request-id': { description: "The request's id; yours when you sent one.", schema: { type: 'string' as const } },
};

/** What every request for work of a model may carry. */
const GENERAL_HEADERS = [
  header('x-request-id', 'Correlates logs; 1 to 128 visible ASCII characters, and no key.'),
  header('x-session-id', 'Keeps requests of one session on one worker.'),
  header('traceparent', 'W3C trace context.'),
];

const TEXT = { schema: { type: 'string' as const } };

/** The REST API as an OpenAPI 3.1 document. Its schemas are the very ones that requests are validated with. */
export function openApiDocument(version: string, admin: AdminDocument): OpenAPIObject {
  return {
    openapi: '3.1.0',
    info: {
      title: 'HydraServe',
      version,
      description: 'OpenAI-compatible completions on a fleet of workers. The same over gRPC: `hydra.v1.Inference`.',
      license: { name: 'MIT' },
    },
    servers: [{ url: '/' }],
    security: [{ bearer: [] }],
    tags: [
      { name: 'completions', description: 'Text from a model, whole or streamed.' },
      { name: 'embeddings', description: 'Vectors of texts.' },
      { name: 'models', description: 'What can be asked for.' },
      { name: 'usage', description: 'What was used; where `auth.mode` is `required`.' },
      { name: 'administration', description: 'Tenants, keys and policies; where `auth.mode` is `required`.' },
      { name: 'operation', description: 'Health, metrics, the fleet, and who you are.' },
    ],
    paths: {
      '/v1/completions': completionPath('CompletionRequest', 'Completion', 'Completes one or several prompts.'),
      '/v1/chat/completions': completionPath('ChatCompletionRequest', 'ChatCompletion', 'Answers a conversation.'),
      '/v1/embeddings': {
        post: {
          tags: ['embeddings'],
          operationId: 'createEmbeddings',
          summary: 'Turns texts into vectors.',
          parameters: GENERAL_HEADERS,
          requestBody: { required: true, content: { 'application/json': { schema: schemaRef('EmbeddingRequest') } } },
          responses: { 200: json('The vectors.', 'EmbeddingList'), default: errorAnswer() },
        },
      },
      '/v1/models': {
        get: {
          tags: ['models'],
          operationId: 'listModels',
          summary: 'Models and aliases that can be asked for.',
          responses: { 200: json('The list.', 'ModelList'), default: errorAnswer() },
        },
      },
      '/v1/models/{id}': {
        get: {
          tags: ['models'],
          operationId: 'getModel',
          summary: 'One model or alias.',
          parameters: [
            {
              name: 'id',
              in: 'path',
              required: true,
              description: 'Model id or alias; slashes may stand as they are.',
              schema: { type: 'string' },
            },
          ],
          responses: { 200: json('The model.', 'Model'), default: errorAnswer() },
        },
      },
      ...admin.paths,
      '/health/live': healthPath('Whether the process runs.'),
      '/health': healthPath('Whether a model can answer now; as `/health/ready`.'),
      '/health/ready': healthPath('Whether a model can answer now.'),
      '/health/startup': healthPath('Whether the start is over.'),
      '/metrics': {
        get: {
          tags: ['operation'],
          operationId: 'metrics',
          summary: "Metrics in Prometheus' text format, or in OpenMetrics for those who ask for it.",
          responses: {
            200: { description: 'The metrics.', content: { 'text/plain': TEXT, 'application/openmetrics-text': TEXT } },
            default: errorAnswer(),
          },
        },
      },
    },
    components: {
      schemas: { ...(openApiSchemas() as AdminDocument['schemas']), ...admin.schemas },
      securitySchemes: {
        bearer: {
          type: 'http',
          scheme: 'bearer',
          description: 'A key or a token; nothing where `auth.mode` is `off`.',
        },
      },
    },
  };
}

function completionPath(request: string, answer: string, summary: string) {
  return {
    post: {
      tags: ['completions'],
      operationId: `create${answer}`,
      summary,
      parameters: [
        ...GENERAL_HEADERS,
        header(
          'x-slo-ttft-ms',
          'Longest time to first token, in milliseconds from the arrival; what cannot keep it is refused with 429 as soon as that is known. Default: `sloTtftMs` of the model.',
        ),
        header(
          'x-hydra-debug',
          '`placement`: how the scheduler chose, in `x-hydra-placement` or, with `stream`, as a comment before the first event. For operators, and without authentication; ignored otherwise.',
        ),
        header(
          'Idempotency-Key',
          '1 to 255 visible ASCII characters: the same body under the same key is answered with the same whole answer for `gateway.idempotencyTtlMs`. Streams do not look at it.',
        ),
      ],
      requestBody: { required: true, content: { 'application/json': { schema: schemaRef(request) } } },
      responses: {
        200: {
          description: 'The answer; with `stream` as server-sent events that end with `[DONE]`.',
          headers: REQUEST_ID_HEADERS,
          content: {
            'application/json': { schema: schemaRef(answer) },
            'text/event-stream': { schema: eventSchema(`${answer}Chunk`) },
          },
        },
        default: errorAnswer(),
      },
    },
  };
}

/** One event of a stream, as its fields. OpenAPI before 3.2 leaves open what a schema of events describes. */
function eventSchema(chunk: string): AdminDocument['schemas'][string] {
  const payload: object = {
    contentMediaType: 'application/json',
    contentSchema: { anyOf: [schemaRef(chunk), schemaRef('Error')] },
  }; // words of JSON Schema that Swagger's types lack
  return {
    type: 'object',
    description: 'One server-sent event: a part of the answer, the error that ended it, or `[DONE]`.',
    required: ['data'],
    properties: { data: { type: 'string', anyOf: [{ enum: ['[DONE]'] }, payload] } },
  };
}

function healthPath(summary: string) {
  const answer = (description: string) => ({
    description,
    content: { 'application/json': { schema: { type: 'object' as const } } },
  });
  return {
    get: {
      tags: ['operation'],
      security: [],
      summary,
      responses: { 200: answer('Yes.'), 503: answer('No, and why.'), default: errorAnswer() },
    },
  };
}

function header(name: string, description: string) {
  return { name, in: 'header' as const, required: false, description, schema: { type: 'string' as const } };
}

function json(description: string, schema: string) {
  return { description, content: { 'application/json': { schema: schemaRef(schema) } } };
}

function errorAnswer() {
  return json('Refused or failed; see docs/errors.md.', 'Error');
}

function schemaRef(name: string) {
  return { $ref: `#/components/schemas/${name}` };
}
