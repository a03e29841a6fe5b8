/**
 * The shape of our API keys, `hydra_<id>_<secret>`, wherever it stands; also of one that was cut, as long as enough of the secret is left
 * to be of use to somebody.
 */
const KEY = /(hydra_[A-Za-z0-9-]{12}_)[A-Za-z0-9_-]{16,}/g;

/** A text without the secrets of keys in it: their public parts stay, so that whoever put one there can be told. */
export function maskKeys(text: string): string {
  return text.replace(KEY, '$1***');
}
