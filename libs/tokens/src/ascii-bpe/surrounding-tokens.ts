import { isJsonObject } from '../text-files.js';

/** Ids that a tokenizer puts before and behind a text of its own accord. */
export interface SurroundingTokens {
  readonly before: readonly number[];
  readonly behind: readonly number[];
}

const NONE: SurroundingTokens = { before: [], behind: [] };

/** @param postProcessor  of a tokenizer.json @returns `undefined` for one that is not known here */
export function readSurroundingTokens(postProcessor: unknown): SurroundingTokens | undefined {
  if (postProcessor === null || postProcessor === undefined) return NONE;
  if (!isJsonObject(postProcessor)) return undefined;
  const { type, processors, single, special_tokens: tokens } = postProcessor;
  switch (type) {
    case 'ByteLevel':
      return NONE;
    case 'Sequence':
      return Array.isArray(processors) ? nested(processors) : undefined;
    case 'TemplateProcessing':
      return Array.isArray(single) ? fromTemplate(single, tokens) : undefined;
    default:
      return undefined;
  }
}

/** Each is put around what those before it gave. */
function nested(processors: readonly unknown[]): SurroundingTokens | undefined {
  let all = NONE;
  for (const processor of processors) {
    const one = readSurroundingTokens(processor);
    if (one === undefined) return undefined;
    all = { before: [...one.before, ...all.before], behind: [...all.behind, ...one.behind] };
  }
  return all;
}

function fromTemplate(template: readonly unknown[], tokens: unknown): SurroundingTokens | undefined {
  const isText = (part: unknown) => isJsonObject(part) && isJsonObject(part['Sequence']);
  const at = template.findIndex(isText);
  if (at === -1 || at !== template.findLastIndex(isText)) return undefined;
  const idsOf = (part: unknown): number[] | undefined => {
    const token = isJsonObject(part) ? part['SpecialToken'] : undefined;
    const known = isJsonObject(token) && isJsonObject(tokens) ? tokens[String(token['id'])] : undefined;
    return isJsonObject(known) && Array.isArray(known['ids']) ? (known['ids'] as number[]) : undefined;
  };
  const before = template.slice(0, at).map(idsOf);
  const behind = template.slice(at + 1).map(idsOf);
  if ([...before, ...behind].includes(undefined)) return undefined;
  return { before: before.flat() as number[], behind: behind.flat() as number[] };
}
