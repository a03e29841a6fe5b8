import { hash, randomBytes, timingSafeEqual } from 'node:crypto';
import { API_KEY, API_KEY_PREFIX } from '#lib/secrets';

const ID_BYTES = 9;
/** 256 bits: nobody guesses one, so a fast hash is enough. */
const SECRET_BYTES = 32;

/** A key at the only moment it is known as a whole. */
export interface MintedKey {
  /** What the client sends: `hydra_<id>_<secret>`. Shown once, never stored, never logged. */
  readonly text: string;
  /** Its public part. */
  readonly id: string;
  readonly hash: string;
}

/** What can be known of a key that was presented. */
export interface PresentedKey {
  readonly id: string;
  readonly hash: string;
}

export function mintApiKey(): MintedKey {
  const id = newKeyId();
  const text = `${API_KEY_PREFIX}_${id}_${randomBytes(SECRET_BYTES).toString('base64url')}`;
  return { text, id, hash: hashOf(text) };
}

/** Begins with a letter or a digit, so that no command line takes it for an option. */
function newKeyId(): string {
  for (;;) {
    const id = randomBytes(ID_BYTES).toString('base64url').replaceAll('_', '-'); // `_` separates the parts
    if (!id.startsWith('-')) return id;
  }
}

/** @returns `undefined` for what cannot be one of our keys */
export function parseApiKey(text: string): PresentedKey | undefined {
  const id = API_KEY.exec(text)?.[1];
  return id === undefined ? undefined : { id, hash: hashOf(text) };
}

/** Compares in a time that does not depend on where they differ. */
export function isSameHash(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));
}

function hashOf(text: string): string {
  return hash('sha256', text);
}
