import { z } from 'zod';

export const storageSchema = z.strictObject({
  folder: z
    .string()
    .default('~/.cache/hydraserve')
    .meta({ description: 'Folder of downloaded and compiled models.', env: 'HYDRA_HOME' }),
  hubEndpoint: z.string().default('https://huggingface.co').meta({ description: 'Model hub.', env: 'HF_ENDPOINT' }),
  hubToken: z
    .string()
    .optional()
    .meta({ description: 'Token for gated models; never logged.', env: 'HF_TOKEN', secret: true }),
});
