import type { HydraConfig } from '#lib/config';
import { ModelStore } from '#lib/models';

/** The models on this machine, as the configuration says where. */
export function openStore({ storage }: HydraConfig): ModelStore {
  const { folder, hubEndpoint, hubToken } = storage;
  return new ModelStore({ folder, hubEndpoint, hubToken });
}
