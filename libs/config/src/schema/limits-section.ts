import { z } from 'zod';
import { count } from './quantities.js';

export const limitsSchema = z.strictObject({
  sliceTokens: count
    .default(64)
    .describe(
      'Tokens of an answer that are reserved at a time, ahead of their delivery; what a gateway that dies is charged for at most, per answer.',
    ),
});
