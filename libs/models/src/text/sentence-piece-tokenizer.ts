import { UnsupportedModelError } from '../errors.js';
import type { GgufHeader } from '../gguf-header.js';
import { beginEndProcessor } from './begin-end-tokens.js';
import type { GgufVocabulary } from './gguf-vocabulary.js';

/** SentencePiece writes a blank as this. */
const BLANK = '▁';

/**
 * The content of a tokenizer.json for SentencePiece BPE with bytes for what the vocabulary lacks, as Llama 2, TinyLlama
 * and Mistral have it. GGUF keeps SentencePiece's scores; a tokenizer.json wants merges in their order.
 */
export function sentencePieceTokenizer(header: GgufHeader, vocabulary: GgufVocabulary): object {
  const scores = header.required('tokenizer.ggml.scores', header.numbers('tokenizer.ggml.scores'));
  if (scores.length !== vocabulary.tokens.length) {
    throw new UnsupportedModelError(
      header.path,
      `it has ${vocabulary.tokens.length} tokens and ${scores.length} scores`,
    );
  }
  const addsBlank = header.boolean('tokenizer.ggml.add_space_prefix') ?? true;
  const unknown = vocabulary.tokenAt(header.number('tokenizer.ggml.unknown_token_id') ?? 0);
  const replaceBlanks = { type: 'Replace', pattern: { String: ' ' }, content: BLANK };
  const restoreBlanks = { type: 'Replace', pattern: { String: BLANK }, content: ' ' };
  const strip = addsBlank ? [{ type: 'Strip', content: ' ', start: 1, stop: 0 }] : [];
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: vocabulary.addedTokens(),
    normalizer: {
      type: 'Sequence',
      normalizers: [...(addsBlank ? [{ type: 'Prepend', prepend: BLANK }] : []), replaceBlanks],
    },
    pre_tokenizer: null,
    post_processor: beginEndProcessor(header, vocabulary, { addsBos: true }),
    decoder: { type: 'Sequence', decoders: [restoreBlanks, { type: 'ByteFallback' }, { type: 'Fuse' }, ...strip] },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: unknown,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: true,
      byte_fallback: true,
      ignore_merges: false,
      vocab: Object.fromEntries(vocabulary.byToken()),
      merges: mergesByScore(vocabulary, scores),
    },
  };
}

/**
 * SentencePiece merges the two neighbours whose joined piece has the best score. So every way to cut a piece into two
 * pieces is a merge, ordered by the score of the piece, best first; cuts of equal score by their parts' ids.
 */
function mergesByScore(vocabulary: GgufVocabulary, scores: readonly number[]): (readonly [string, string])[] {
  const ids = vocabulary.byToken();
  const merges: { readonly left: string; readonly right: string; readonly score: number; readonly order: number }[] =
    [];
  vocabulary.tokens.forEach((piece, id) => {
    if (vocabulary.isAdded(id)) return;
    const cuts: { readonly left: string; readonly right: string; readonly leftId: number; readonly rightId: number }[] =
      [];
    const characters = [...piece];
    for (let length = 1; length < characters.length; length += 1) {
      const left = characters.slice(0, length).join('');
      const right = characters.slice(length).join('');
      const leftId = ids.get(left);
      const rightId = ids.get(right);
      if (leftId !== undefined && rightId !== undefined) cuts.push({ left, right, leftId, rightId });
    }
    cuts.sort((a, b) => a.leftId - b.leftId || a.rightId - b.rightId);
    for (const { left, right } of cuts) merges.push({ left, right, score: scores[id] ?? 0, order: merges.length });
  });
  merges.sort((a, b) => b.score - a.score || a.order - b.order);
  return merges.map(({ left, right }) => [left, right] as const);
}
