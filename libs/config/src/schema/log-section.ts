import { z } from 'zod';

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const;

export const logSchema = z.strictObject({
  level: z
    .enum(LOG_LEVELS)
    .default('info')
    .meta({ reload: 'live', description: 'Least severity that is logged.', env: 'HYDRA_LOG_LEVEL' }),
  format: z
    .enum(['json', 'pretty'])
    .default('json')
    .meta({ description: 'Form of log lines.', env: 'HYDRA_LOG_FORMAT' }),
});
