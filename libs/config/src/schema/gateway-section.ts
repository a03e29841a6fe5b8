import { z } from 'zod';
import { bytes, count, milliseconds, port } from './quantities.js';
import { gatewayTlsSchema } from './tls-section.js';

export const gatewaySchema = z.strictObject({
  host: z
    .string()
    .default('127.0.0.1')
    .meta({ description: 'Address that REST and gRPC listen on.', env: 'HYDRA_HOST' }),
  httpPort: port.default(8080).meta({ description: 'Port of REST.', env: 'HYDRA_HTTP_PORT' }),
  grpcPort: port.default(9090).meta({ description: 'Port of gRPC.', env: 'HYDRA_GRPC_PORT' }),
  console: z.enum(['on', 'off']).default('on').meta({
    description: '`on`: the console, a page for browsers, is at `/` of REST, see docs/console.md.',
    env: 'HYDRA_CONSOLE',
  }),
  corsOrigins: z.array(z.string()).default([]).meta({
    description: 'Origins that browsers may call from; `*` for all. Comma-separated in the environment.',
    env: 'HYDRA_CORS_ORIGINS',
  }),
  tls: gatewayTlsSchema.prefault({}),
  bodyBytes: bytes
    .default(4 * 1024 * 1024)
    .meta({ description: 'Largest request body, in bytes.', env: 'HYDRA_BODY_BYTES' }),
  bodyDepth: count.default(64).describe('Deepest nesting of a JSON body.'),
  receiveTimeoutMs: milliseconds
    .default(10_000)
    .describe('Longest time a client may take to send head and body of a request, in milliseconds.'),
  requestTimeoutMs: milliseconds
    .default(600_000)
    .meta({ description: 'Longest life of a request, in milliseconds.', env: 'HYDRA_REQUEST_TIMEOUT_MS' }),
  keepAliveCommentMs: milliseconds
    .default(5_000)
    .describe('Time between SSE comments while a request waits, in milliseconds.'),
  concurrentRequests: count.default(2_048).describe('Requests in flight at once; further ones are answered 503.'),
  streamBufferTokens: count.default(256).describe('Tokens per sequence that a worker may be ahead of a slow reader.'),
  drainTimeoutMs: milliseconds.default(30_000).meta({
    description: 'Time that running requests have after SIGTERM, in milliseconds.',
    env: 'HYDRA_GATEWAY_DRAIN_TIMEOUT_MS',
  }),
  trustedProxies: z.array(z.string()).default([]).meta({
    description:
      "Addresses or networks (`10.0.0.0/8`) of load balancers whose `X-Forwarded-For` names the client's address. Comma-separated in the environment.",
    env: 'HYDRA_TRUSTED_PROXIES',
  }),
  idempotencyTtlMs: milliseconds
    .default(86_400_000)
    .describe('How long a whole answer is kept for its `Idempotency-Key`, in milliseconds.'),
  idempotencyBytes: bytes
    .default(64 * 1024 * 1024)
    .describe('Memory for such answers, in bytes, of each gateway, and of each tenant in Redis; the oldest go first.'),
  maxChoices: count.default(128).describe('Most choices of one request: prompts × n.'),
});
