import { register } from 'prom-client';

/** Takes a metric's name over from an earlier app in this process, if there was one. */
export function ownedName(name: string): string {
  register.removeSingleMetric(name);
  return name;
}
