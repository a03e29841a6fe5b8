import { totalmem } from 'node:os';
import { constrainedMemory } from 'node:process';

/** What the machine has, or the container allows. Containers without a limit report none, or more than there is. */
export function usableMemoryBytes(): number {
  const allowedBytes = constrainedMemory();
  return allowedBytes > 0 ? Math.min(allowedBytes, totalmem()) : totalmem();
}
