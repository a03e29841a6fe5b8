import type { HydraConfig } from './schema.js';

/** gRPC targets of all schedulers, in the order of the configuration; at least one. */
export function schedulerTargets({
  scheduler: { target, targets },
}: Pick<HydraConfig, 'scheduler'>): readonly string[] {
  return targets.length === 0 ? [target] : [...new Set(targets)];
}
