import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

/** @param path  `~/…`, absolute, or relative to `base` */
export function absolutePath(base: string, path: string): string {
  return path.startsWith('~/') ? join(homedir(), path.slice(2)) : resolve(base, path);
}
