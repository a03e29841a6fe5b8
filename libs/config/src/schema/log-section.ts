import { z } from 'zod';

export const logSchema = z.strictObject({
  level: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'silent'])
    .default('info')
    .meta({ reload: 'live', description: 'Least severity that is logged.', env: 'HYDRA_LOG_LEVEL' }),
  format: z
    .enum(['json', 'pretty'])
    .default('json')
    .meta({ description: 'Form of log lines.', env: 'HYDRA_LOG_FORMAT' }),
});
