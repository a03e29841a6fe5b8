import { z } from 'zod';
import { count } from './quantities.js';

export const databaseSchema = z.strictObject({
  url: z
    .string()
    .regex(/^(sqlite:.|postgres(ql)?:\/\/)/, 'expected `sqlite:PATH` or a URL that begins with `postgres://`')
    .default('sqlite:~/.local/share/hydraserve/hydra.db')
    .meta({
      description:
        'Tenants, keys and policies: `sqlite:PATH` for one machine, `postgres://…` for several gateways; never logged.',
      env: 'HYDRA_DATABASE_URL',
      secret: true,
    }),
  connections: count.default(4).describe('Most connections of a process to PostgreSQL.'),
});
