import { z } from 'zod';

export const port = z.number().int().min(0).max(65_535);
export const count = z.number().int().min(1);
/** As long as Node's timers can be, 24 days: a longer one would be over at once. */
export const milliseconds = z.number().int().min(1).max(2_147_483_647);
export const bytes = z.number().int().min(1);
