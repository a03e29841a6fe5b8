import { isJsonObject, type JsonObject } from '../text-files.js';

/** Cuts each piece of a text further. */
type Cut = (pieces: readonly string[]) => readonly string[];

/** Of GPT-2's byte-level tokenizer, and of `ByteLevel` with `use_regex`. */
const WORDS = /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu;
const DIGIT = /[0-9]/g;
const DIGITS = /[0-9]+/g;

/**
 * What JavaScript reads otherwise than Oniguruma, beside what it refuses: `^`, `$` and `.` know other ends of lines, and sets within sets, POSIX classes, atomic
 * and named groups and other flags have other meanings or none.
 */
const READ_OTHERWISE = /(?<!\[)\^|[$.]|\[\[|\[:|&&|\(\?[<>]|\(\?[a-z-]*[mxs]/;

/**
 * How a tokenizer cuts ASCII text into pieces that are encoded each by itself, from the `pre_tokenizer` of a tokenizer.json.
 * @returns `undefined` for one that is not known here, or does not end in the byte-level alphabet
 */
export function readAsciiPieces(preTokenizer: unknown): ((text: string) => readonly string[]) | undefined {
  const steps = stepsOf(preTokenizer);
  if (steps.at(-1)?.['type'] !== 'ByteLevel') return undefined;
  const cuts = steps.map(cutOf);
  const isKnown = (cut: Cut | undefined): cut is Cut => cut !== undefined;
  if (!cuts.every(isKnown)) return undefined;
  return (text) => cuts.reduce<readonly string[]>((pieces, cut) => cut(pieces), [text]);
}

function stepsOf(preTokenizer: unknown): readonly JsonObject[] {
  if (!isJsonObject(preTokenizer)) return [];
  const steps = preTokenizer['type'] === 'Sequence' ? preTokenizer['pretokenizers'] : [preTokenizer];
  return Array.isArray(steps) && steps.every(isJsonObject) ? steps : [];
}

function cutOf(step: JsonObject, index: number, steps: readonly JsonObject[]): Cut | undefined {
  switch (step['type']) {
    case 'ByteLevel':
      return index === steps.length - 1 ? byteLevel(step) : undefined;
    case 'Digits':
      return cutAt(step['individual_digits'] === true ? DIGIT : DIGITS);
    case 'Split':
      return split(step);
    default:
      return undefined;
  }
}

function byteLevel(step: JsonObject): Cut {
  const cut: Cut = step['use_regex'] === false ? (pieces) => pieces : cutAt(WORDS);
  if (step['add_prefix_space'] !== true) return cut;
  return (pieces) => cut(pieces.map((piece) => (piece.startsWith(' ') ? piece : ` ${piece}`)));
}

function split({ pattern, behavior, invert }: JsonObject): Cut | undefined {
  if (behavior !== 'Isolated' || invert === true || !isJsonObject(pattern)) return undefined;
  const source = pattern['Regex'];
  if (typeof source !== 'string' || READ_OTHERWISE.test(source)) return undefined;
  try {
    return cutAt(new RegExp(source, 'gu'));
  } catch {
    return undefined; // Oniguruma has more than JavaScript
  }
}

/** Matches and what is between them, in order; nothing is lost. */
function cutAt(pattern: RegExp): Cut {
  return (pieces) => {
    const cut: string[] = [];
    for (const piece of pieces) {
      let end = 0;
      for (const { 0: match, index } of piece.matchAll(pattern)) {
        if (match === '') continue;
        if (index > end) cut.push(piece.slice(end, index));
        cut.push(match);
        end = index + match.length;
      }
      if (end < piece.length) cut.push(piece.slice(end));
    }
    return cut;
  };
}
