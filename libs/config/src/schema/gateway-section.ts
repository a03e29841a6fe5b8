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
  bodyDepth: count.default(64).meta({ reload: 'live', description: 'Deepest nesting of a JSON body.' }),
  receiveTimeoutMs: milliseconds
    .default(10_000)
    .describe('Longest time a client may take to send head and body of a request, in milliseconds.'),
  requestTimeoutMs: milliseconds
    .default(600_000)
    .meta({ description: 'Longest life of a request, in milliseconds.', env: 'HYDRA_REQUEST_TIMEOUT_MS' }),
  keepAliveCommentMs: milliseconds
    .default(5_000)
    .meta({ reload: 'live', description: 'Time between SSE comments while a request waits, in milliseconds.' }),
  concurrentRequests: count
    .default(2_048)
    .meta({ reload: 'live', description: 'Requests in flight at once; further ones are answered 503.' }),
  streamBufferTokens: count
    .default(256)
    .meta({ reload: 'live', description: 'Tokens per sequence that a worker may be ahead of a slow reader.' }),
  shutdownDelayMs: z.number().int().min(0).max(2_147_483_647).default(2_000).meta({
    reload: 'live',
    description:
      'Time after SIGTERM in which the gateway says that it is not ready and still takes requests, so that load balancers choose another one, in milliseconds.',
    env: 'HYDRA_GATEWAY_SHUTDOWN_DELAY_MS',
  }),
  drainTimeoutMs: milliseconds.default(30_000).meta({
    reload: 'live',
    description: 'Time that running requests have after that, in milliseconds; what is left ends with an error.',
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
  maxChoices: count.default(128).meta({ reload: 'live', description: 'Most choices of one request: prompts × n.' }),
});
