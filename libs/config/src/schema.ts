import { z } from 'zod';
import { authSchema } from './schema/auth-section.js';
import { databaseSchema } from './schema/database-section.js';
import { gatewaySchema } from './schema/gateway-section.js';
import { kvcacheSchema } from './schema/kvcache-section.js';
import { limitsSchema } from './schema/limits-section.js';
import { logSchema } from './schema/log-section.js';
import { mockSchema } from './schema/mock-section.js';
import { modelSchema } from './schema/model-section.js';
import { schedulerSchema } from './schema/scheduler-section.js';
import { storageSchema } from './schema/storage-section.js';
import { certificatesSchema, tlsSchema } from './schema/tls-section.js';
import { tracingSchema } from './schema/tracing-section.js';
import { workersSchema } from './schema/workers-section.js';

export { AUTH_MODES, JWT_ALGORITHMS } from './schema/auth-section.js';
export { LOG_LEVELS } from './schema/log-section.js';
export { NUMERICS, PREFILL_WEIGHTS, STRATEGIES, WEIGHTS } from './schema/model-section.js';

/** Served when the file lists no model. */
export const DEFAULT_MODEL_ID = 'smollm2-135m-instruct';

export const ENGINES = ['onnx', 'mock'] as const;

/**
 * The one schema of `hydra.yaml`. Every leaf has its default and a description with its unit; `env` in a leaf's metadata
 * names the environment variable that overrides it. `docs/configuration.md` is generated from here.
 */
export const hydraSchema = z.strictObject({
  models: z
    .array(modelSchema)
    .min(1, 'expected at least one model')
    .default([modelSchema.parse({ id: DEFAULT_MODEL_ID })])
    .describe('The models served; the first is the default.'),
  aliases: z.record(z.string(), z.string()).default({}).meta({
    reload: 'live',
    description:
      'Other names for models, by name; the value is a model id, or `default` for the first model. `default` itself is always one.',
  }),
  engine: z.enum(ENGINES).default('onnx').meta({
    description: 'Engine of the workers: `onnx` (embedded) or `mock` (no model, no weights).',
    env: 'HYDRA_ENGINE',
  }),
  mock: mockSchema.prefault({}).describe('The mock engine.'),
  gateway: gatewaySchema.prefault({}).describe('The front door.'),
  auth: authSchema.prefault({}).describe('Who may come in.'),
  limits: limitsSchema.prefault({}).describe('How limits, quotas and budgets are counted.'),
  tls: tlsSchema,
  certificates: certificatesSchema.prefault({}).describe('Certificates of `tls`.'),
  database: databaseSchema.prefault({}).describe('The database; only opened where `auth.mode` is `required`.'),
  scheduler: schedulerSchema.prefault({}).describe('Placement.'),
  workers: workersSchema.prefault({}).describe('Workers.'),
  kvcache: kvcacheSchema.prefault({}).describe('Attention state shared between workers.'),
  storage: storageSchema.prefault({}).describe('Models on disk.'),
  log: logSchema.prefault({}).describe('Logs.'),
  tracing: tracingSchema.prefault({}).describe('Traces, and what each app remembers of its requests.'),
});

/** The whole configuration: defaults filled in, units fixed (milliseconds, bytes, tokens). */
export type HydraConfig = z.infer<typeof hydraSchema>;
export type ModelConfig = HydraConfig['models'][number];
