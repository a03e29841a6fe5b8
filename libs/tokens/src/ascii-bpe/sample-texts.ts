const WORDS = [
  "don't",
  'HELLO',
  'tokens',
  'a',
  'I',
  'x'.repeat(40),
  "we'LL",
  '2026',
  '007',
  '3.14',
  '_',
  '!?',
  '...',
  '-->',
  '{"a":1}',
];
const GAPS = ['', ' ', '  ', '\n', '\r\n', '\t', ' \n ', '\n\n  ', '\v\f', '\0\u007f'];
const TEXTS = 64;
const WORDS_PER_TEXT = 12;

/** Texts of words, numbers, signs and gaps of each kind beside each other; the same at every call. */
export function sampleTexts(): string[] {
  let seed = 1;
  const draw = (from: readonly string[]) => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fffffff;
    return from[(seed >>> 8) % from.length];
  };
  const text = () => Array.from({ length: WORDS_PER_TEXT }, () => `${draw(GAPS)}${draw(WORDS)}`).join('');
  const printable = String.fromCharCode(...Array.from({ length: 95 }, (_, index) => 0x20 + index));
  return ['', ' ', printable, ...Array.from({ length: TEXTS }, text)];
}
