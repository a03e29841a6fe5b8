import { z } from 'zod';
import { DATABASE_URL, DATABASE_URL_EXPECTED } from '#lib/secrets';
import { count } from './quantities.js';

export const databaseSchema = z.strictObject({
  url: z.string().regex(DATABASE_URL, DATABASE_URL_EXPECTED).default('sqlite:~/.local/share/hydraserve/hydra.db').meta({
    description:
      'Tenants, keys and policies: `sqlite:PATH` for one machine, `postgres://…` for several gateways; never logged.',
    env: 'HYDRA_DATABASE_URL',
    secret: true,
  }),
  connections: count.default(4).describe('Most connections of a process to PostgreSQL.'),
});
