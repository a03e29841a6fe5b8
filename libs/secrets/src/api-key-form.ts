/** Tells our keys from other tokens, for people and for secret scanners. */
export const API_KEY_PREFIX = 'hydra';

const ID = '[A-Za-z0-9-]{12}';
const SECRET_CHARACTER = '[A-Za-z0-9_-]';

/** A key as a whole, `hydra_<id>_<secret>`, with its id, the public part: the secret is 32 bytes in base64url. */
export const API_KEY = new RegExp(`^${API_KEY_PREFIX}_(${ID})_${SECRET_CHARACTER}{43}$`);

/** One wherever it stands; also one that was cut, as long as enough of the secret is left to be of use to somebody. */
const KEY_IN_TEXT = new RegExp(`(${API_KEY_PREFIX}_${ID}_)${SECRET_CHARACTER}{16,}`, 'g');

/** A text without the secrets of keys in it: their public parts stay, so that whoever put one there can be told. */
export function maskKeys(text: string): string {
  return text.replace(KEY_IN_TEXT, '$1***');
}
