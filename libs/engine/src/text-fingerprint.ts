import { createHash } from 'node:crypto';
import type { TextFiles } from '#lib/tokens';

/** Names a model's text files by what is in them: SHA-256 over names and contents, ordered by name, hex. */
export function textFingerprint(textFiles: TextFiles): string {
  const whole = createHash('sha256');
  for (const [name, bytes] of [...textFiles].sort(([a], [b]) => (a < b ? -1 : 1))) {
    whole.update(`${name}\0${bytes.length}\0`).update(bytes);
  }
  return whole.digest('hex');
}
