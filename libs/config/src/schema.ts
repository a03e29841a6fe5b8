import { z } from 'zod';

/**
 * The one schema of `hydra.yaml`. Every leaf has its default and a description with its unit; `env` in a leaf's metadata
 * names the environment variable that overrides it. `docs/configuration.md` is generated from here.
 */

const port = z.number().int().min(0).max(65_535);
const count = z.number().int().min(1);
/** As long as Node's timers can be, 24 days: a longer one would be over at once. */
const milliseconds = z.number().int().min(1).max(2_147_483_647);
const bytes = z.number().int().min(1);

/** Served when the file lists no model. */
export const DEFAULT_MODEL_ID = 'smollm2-135m-instruct';

export const STRATEGIES = [
  'round-robin',
  'least-loaded',
  'consistent-hash',
  'gpu-utilization',
  'power-of-two',
  'least-pending-prefill',
  'prefix-aware',
  'adapter-affinity',
  'weighted',
  'predicted-ttft',
] as const;
export const WEIGHTS = ['auto', 'fp32', 'int8', 'int4'] as const;
export const NUMERICS = ['exact', 'fast'] as const;
export const ENGINES = ['onnx', 'mock'] as const;
export const AUTH_MODES = ['off', 'required'] as const;
/** Asymmetric ones only: with a shared secret, the public key of an issuer would be a key to sign with. */
export const JWT_ALGORITHMS = [
  ...(['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'] as const),
  ...(['ES256', 'ES384', 'ES512', 'EdDSA'] as const),
] as const;

/** In the spelling and the ranges of the public API. */
const samplingSchema = z.strictObject({
  temperature: z.number().min(0).max(2).optional().describe('Divides the logits; 0 is greedy.'),
  top_p: z.number().gt(0).max(1).optional().describe('Keeps the best candidates whose probabilities sum up to it.'),
  top_k: z.number().int().min(0).optional().describe('Keeps the k best candidates; 0 is off.'),
  min_p: z
    .number()
    .min(0)
    .max(1)
    .optional()
    .describe("Drops candidates below this share of the best one's probability; 0 is off."),
  repetition_penalty: z
    .number()
    .min(0.01)
    .max(100)
    .optional()
    .describe('Weakens tokens seen in prompt or output when above 1; 1 is off.'),
});

const modelSchema = z.strictObject({
  id: z.string().min(1).describe('Name under which the model is served.'),
  source: z
    .string()
    .min(1)
    .describe(
      'Where it comes from: a catalogue name, a hub id (`org/name`, `org/name@revision`) or a folder. Default: the id.',
    )
    .optional(),
  weights: z
    .enum(WEIGHTS)
    .default('auto')
    .describe('Form of the compiled weights; `auto` keeps the precision of the source at its smallest exact form.'),
  numerics: z
    .enum(NUMERICS)
    .default('fast')
    .describe(
      '`exact`: fp32 weights, and the same tokens however a request is batched, preempted or resumed; `fast` leaves both open, see docs/numerics.md.',
    ),
  contextTokens: count
    .describe('Most tokens of prompt and output together. Default: what the model was made for, at most 8192.')
    .optional(),
  strategy: z.enum(STRATEGIES).default('least-loaded').describe('How requests for this model are placed on workers.'),
  workers: count
    .describe('Worker processes that `hydra up` starts for this model. Default: `workers.count`.')
    .optional(),
  kvBytes: bytes.describe('Memory for attention state per worker, in bytes. Default: `workers.kvBytes`.').optional(),
  sampling: samplingSchema
    .describe(
      'Values for what a request does not give. Default: what the authors of the model recommend, see docs/models.md.',
    )
    .optional(),
});

const weight = z.number().min(0).max(1_000);

/** Options of the strategy `weighted`. */
const weightedSchema = z.strictObject({
  loadFactor: z
    .number()
    .min(0)
    .default(1.5)
    .describe(
      'Filter: workers with more load than this multiple of the mean are left out while there is another; 0 is off.',
    ),
  weights: z
    .strictObject({
      prefix: weight.default(3).describe('Score: share of the prompt that the worker holds.'),
      pending: weight
        .default(2)
        .describe('Score: few prompt tokens to compute, against the most among the candidates.'),
      load: weight.default(1).describe('Score: free places.'),
      kv: weight.default(0).describe('Score: little KV expected by leases, against the most among the candidates.'),
    })
    .prefault({}),
  pick: z
    .enum(['best', 'proportional'])
    .default('best')
    .describe('Pick: the largest sum, or at random in proportion to the sums.'),
});

const mockSchema = z.strictObject({
  ttftMs: z.number().min(0).default(20).meta({
    description: 'Time from admission to the first token of a generation, in milliseconds.',
    env: 'HYDRA_MOCK_TTFT_MS',
  }),
  itlMs: z.number().min(0).default(10).meta({
    description: 'Duration of a decode step, in milliseconds; 0 steps as fast as it can.',
    env: 'HYDRA_MOCK_ITL_MS',
  }),
  kvTokens: count
    .default(65_536)
    .meta({ description: 'Size of the simulated KV memory, in tokens.', env: 'HYDRA_MOCK_KV_TOKENS' }),
  slots: count.default(64).meta({ description: 'Sequences that run at once.', env: 'HYDRA_MOCK_SLOTS' }),
  contextTokens: count
    .default(8_192)
    .meta({ description: 'Context of the simulated model, in tokens.', env: 'HYDRA_MOCK_CONTEXT_TOKENS' }),
  prefixCache: z
    .boolean()
    .default(true)
    .meta({ description: 'Whether prompts seen before cost no prefill time.', env: 'HYDRA_MOCK_PREFIX_CACHE' }),
  failEveryRequests: z
    .number()
    .int()
    .min(0)
    .default(0)
    .meta({ description: 'Fails every n-th generation after its third token; 0 never.', env: 'HYDRA_MOCK_FAIL_EVERY' }),
  crashEveryRequests: z.number().int().min(0).default(0).meta({
    description: 'The engine itself breaks after the third token of every n-th generation; 0 never.',
    env: 'HYDRA_MOCK_CRASH_EVERY',
  }),
});

const jwtIssuerSchema = z.strictObject({
  issuer: z.string().min(1).describe('`iss` of its tokens, exactly.'),
  audience: z.string().min(1).describe('What `aud` must hold.'),
  jwksUri: z
    .string()
    .min(1)
    .optional()
    .describe('Where its public keys are fetched: `https://`, or `http://` on loopback. Keys may rotate at any time.'),
  jwksFile: z.string().min(1).optional().describe('Instead of `jwksUri`: a file with a JSON Web Key Set.'),
  algorithms: z
    .array(z.enum(JWT_ALGORITHMS))
    .min(1)
    .default(['RS256', 'ES256', 'EdDSA'])
    .describe(`Signatures that are accepted, of ${JWT_ALGORITHMS.map((name) => `\`${name}\``).join(', ')}.`),
  clockSkewMs: z
    .number()
    .int()
    .min(0)
    .max(300_000)
    .default(5_000)
    .describe("By how much the issuer's clock may differ, in milliseconds."),
  tenantClaim: z.string().min(1).default('tenant').describe("Claim with the tenant's id; the tenant must exist."),
  rolesClaim: z
    .string()
    .min(1)
    .default('roles')
    .describe('Claim with roles: an array, or words apart by spaces. Without the claim: `user`.'),
  roles: z
    .array(z.string())
    .default(['user'])
    .describe('Roles that this issuer may give; others are dropped. Who may give `operator` may do everything.'),
});

export const hydraSchema = z.strictObject({
  models: z
    .array(modelSchema)
    .min(1, 'expected at least one model')
    .default([modelSchema.parse({ id: DEFAULT_MODEL_ID })])
    .describe('The models served; the first is the default.'),
  aliases: z
    .record(z.string(), z.string())
    .default({})
    .describe(
      'Other names for models, by name; the value is a model id, or `default` for the first model. `default` itself is always one.',
    ),
  engine: z.enum(ENGINES).default('onnx').meta({
    description: 'Engine of the workers: `onnx` (embedded) or `mock` (no model, no weights).',
    env: 'HYDRA_ENGINE',
  }),
  mock: mockSchema.prefault({}).describe('The mock engine.'),
  gateway: z
    .strictObject({
      host: z
        .string()
        .default('127.0.0.1')
        .meta({ description: 'Address that REST and gRPC listen on.', env: 'HYDRA_HOST' }),
      httpPort: port.default(8080).meta({ description: 'Port of REST.', env: 'HYDRA_HTTP_PORT' }),
      grpcPort: port.default(9090).meta({ description: 'Port of gRPC.', env: 'HYDRA_GRPC_PORT' }),
      corsOrigins: z.array(z.string()).default([]).meta({
        description: 'Origins that browsers may call from; `*` for all. Comma-separated in the environment.',
        env: 'HYDRA_CORS_ORIGINS',
      }),
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
      streamBufferTokens: count
        .default(256)
        .describe('Tokens per sequence that a worker may be ahead of a slow reader.'),
      drainTimeoutMs: milliseconds.default(30_000).meta({
        description: 'Time that running requests have after SIGTERM, in milliseconds.',
        env: 'HYDRA_GATEWAY_DRAIN_TIMEOUT_MS',
      }),
      trustedProxies: z.array(z.string()).default([]).meta({
        description:
          "Addresses or networks (`10.0.0.0/8`) of load balancers whose `X-Forwarded-For` names the client's address. Comma-separated in the environment.",
        env: 'HYDRA_TRUSTED_PROXIES',
      }),
      maxChoices: count.default(128).describe('Most choices of one request: prompts × n.'),
    })
    .prefault({})
    .describe('The front door.'),
  auth: z
    .strictObject({
      mode: z.enum(AUTH_MODES).default('off').meta({
        description:
          '`required`: every request needs a key or a token, see docs/auth.md. `off`: everybody is let in, on loopback only.',
        env: 'HYDRA_AUTH',
      }),
      jwt: z.array(jwtIssuerSchema).default([]).describe('Issuers whose JSON Web Tokens are accepted beside keys.'),
      cacheEntries: count
        .default(10_000)
        .describe('Keys, and tenants, kept in memory, so that a request asks no database.'),
      refreshIntervalMs: milliseconds
        .default(1_000)
        .describe('Longest time until a gateway sees what was changed through another one, in milliseconds.'),
      outageGraceMs: milliseconds
        .default(60_000)
        .describe(
          'How long keys in memory stay good while the database cannot be reached, in milliseconds; then nobody is let in.',
        ),
      freeFailures: z
        .number()
        .int()
        .min(0)
        .default(10)
        .describe('Bad credentials that an address may send; each further one makes it wait, 1 s to 60 s.'),
    })
    .prefault({})
    .describe('Who may come in.'),
  database: z
    .strictObject({
      url: z.string().min(1).default('sqlite:~/.local/share/hydraserve/hydra.db').meta({
        description:
          'Tenants, keys and policies: `sqlite:PATH` for one machine, `postgres://…` for several gateways; never logged.',
        env: 'HYDRA_DATABASE_URL',
        secret: true,
      }),
      connections: count.default(4).describe('Most connections of a process to PostgreSQL.'),
    })
    .prefault({})
    .describe('The database; only opened where `auth.mode` is `required`.'),
  scheduler: z
    .strictObject({
      host: z
        .string()
        .default('127.0.0.1')
        .meta({ description: 'Address that the scheduler listens on.', env: 'HYDRA_SCHEDULER_HOST' }),
      grpcPort: port
        .default(9091)
        .meta({ description: 'Port of its gRPC services.', env: 'HYDRA_SCHEDULER_GRPC_PORT' }),
      httpPort: port
        .default(8081)
        .meta({ description: 'Port of health and metrics.', env: 'HYDRA_SCHEDULER_HTTP_PORT' }),
      target: z.string().default('127.0.0.1:9091').meta({
        description: 'gRPC target under which the others reach the scheduler.',
        env: 'HYDRA_SCHEDULER_TARGET',
      }),
      queueLength: count.default(1_024).describe('Requests that may wait for a place, per model.'),
      queueTimeoutMs: milliseconds.default(60_000).describe('Longest wait for a place, in milliseconds.'),
      workerTimeoutMs: milliseconds
        .default(5_000)
        .describe('Silence after which a worker is taken out, in milliseconds.'),
      reportIntervalMs: milliseconds.default(500).describe('Time between state reports of a worker, in milliseconds.'),
      leaseTtlMs: milliseconds.default(15_000).describe('Life of a lease from each renewal, in milliseconds.'),
      waitingPerWorker: z
        .number()
        .int()
        .min(0)
        .default(4)
        .describe('Generations that may wait in a worker beyond its batch before it counts as full.'),
      consistentHashLoadFactor: z
        .number()
        .min(1)
        .default(1.25)
        .describe(
          '`consistent-hash`, `prefix-aware`, `adapter-affinity`: most load of a worker as a multiple of the mean.',
        ),
      kvIndexBlocks: count
        .default(262_144)
        .describe('Distinct KV blocks whose workers are remembered; 67 bytes each, rounded up to a power of two.'),
      weighted: weightedSchema.prefault({}).describe('`weighted`: filter, score, pick.'),
    })
    .prefault({})
    .describe('Placement.'),
  workers: z
    .strictObject({
      count: count.default(1).meta({
        description: 'Worker processes that `hydra up` starts for each model; they share the cores.',
        env: 'HYDRA_WORKERS',
      }),
      id: z
        .string()
        .default('worker-0')
        .meta({ description: 'Identity of this worker process, stable over restarts.', env: 'HYDRA_WORKER_ID' }),
      model: z.string().optional().meta({
        description: 'Id of the model this worker process serves. Default: the first model.',
        env: 'HYDRA_WORKER_MODEL',
      }),
      host: z
        .string()
        .default('127.0.0.1')
        .meta({ description: 'Address that the worker listens on.', env: 'HYDRA_WORKER_HOST' }),
      advertisedHost: z.string().optional().meta({
        description: 'Host under which gateways reach the worker. Default: `workers.host`.',
        env: 'HYDRA_WORKER_ADVERTISED_HOST',
      }),
      grpcPort: port.default(9092).meta({
        description: "Port of the worker's gRPC services; 0 takes a free one.",
        env: 'HYDRA_WORKER_GRPC_PORT',
      }),
      httpPort: port
        .default(8082)
        .meta({ description: 'Port of health and metrics; 0 takes a free one.', env: 'HYDRA_WORKER_HTTP_PORT' }),
      threads: count.optional().meta({
        description: 'Compute threads of the engine. Default: the cores shared by the workers.',
        env: 'HYDRA_THREADS',
      }),
      kvBytes: bytes.default(1024 * 1024 * 1024).meta({
        description:
          'Most memory for attention state, in bytes; sequences take of it as they grow, and computed prefixes are kept in the rest.',
        env: 'HYDRA_KV_BYTES',
      }),
      prefixCache: z.boolean().default(true).meta({
        description:
          'Whether computed prefixes are kept, so that a prompt that begins like an earlier one costs its new tokens only.',
        env: 'HYDRA_PREFIX_CACHE',
      }),
      maxSequences: count.default(32).meta({
        description:
          'Sequences that run at once in a worker, as far as `kvBytes` holds them; more raise throughput little and make each slower.',
        env: 'HYDRA_MAX_SEQUENCES',
      }),
      waitingGenerations: count.default(256).meta({
        description: 'Generations that may wait inside a worker.',
        env: 'HYDRA_WORKER_WAITING_GENERATIONS',
      }),
      stepTimeoutMs: milliseconds.default(30_000).meta({
        description:
          'A step of the embedded engine that takes longer is taken for hung: the engine is started again, in milliseconds.',
        env: 'HYDRA_STEP_TIMEOUT_MS',
      }),
      drainTimeoutMs: milliseconds.default(30_000).meta({
        description: 'Time that running generations have after SIGTERM, in milliseconds.',
        env: 'HYDRA_DRAIN_TIMEOUT_MS',
      }),
    })
    .prefault({})
    .describe('Workers.'),
  storage: z
    .strictObject({
      folder: z
        .string()
        .default('~/.cache/hydraserve')
        .meta({ description: 'Folder of downloaded and compiled models.', env: 'HYDRA_HOME' }),
      hubEndpoint: z.string().default('https://huggingface.co').meta({ description: 'Model hub.', env: 'HF_ENDPOINT' }),
      hubToken: z
        .string()
        .optional()
        .meta({ description: 'Token for gated models; never logged.', env: 'HF_TOKEN', secret: true }),
    })
    .prefault({})
    .describe('Models on disk.'),
  log: z
    .strictObject({
      level: z
        .enum(['trace', 'debug', 'info', 'warn', 'error', 'silent'])
        .default('info')
        .meta({ description: 'Least severity that is logged.', env: 'HYDRA_LOG_LEVEL' }),
      format: z
        .enum(['json', 'pretty'])
        .default('json')
        .meta({ description: 'Form of log lines.', env: 'HYDRA_LOG_FORMAT' }),
    })
    .prefault({})
    .describe('Logs.'),
});

/** The whole configuration: defaults filled in, units fixed (milliseconds, bytes, tokens). */
export type HydraConfig = z.infer<typeof hydraSchema>;
export type ModelConfig = HydraConfig['models'][number];
