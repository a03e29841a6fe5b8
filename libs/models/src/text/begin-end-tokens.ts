import type { GgufHeader } from '../gguf-header.js';
import type { GgufVocabulary } from './gguf-vocabulary.js';

/** What a kind of tokenizer does when the metadata does not say. */
export interface BeginEndDefaults {
  readonly addsBos: boolean;
}

/** A tokenizer.json's step that puts bos before and eos after a text, where the model wants them; else `null`. */
export function beginEndProcessor(
  header: GgufHeader,
  vocabulary: GgufVocabulary,
  defaults: BeginEndDefaults,
): object | null {
  const wanted = (name: 'bos' | 'eos', fallback: boolean) => {
    const id = header.number(`tokenizer.ggml.${name}_token_id`);
    const token = vocabulary.tokenAt(id);
    const isAdded = header.boolean(`tokenizer.ggml.add_${name}_token`) ?? fallback;
    return isAdded && id !== undefined && token !== undefined ? { id, token } : undefined;
  };
  const bos = wanted('bos', defaults.addsBos);
  const eos = wanted('eos', false);
  if (bos === undefined && eos === undefined) return null;

  const piecesOf = (sequence: 'A' | 'B', type_id: number) => [
    ...(bos === undefined ? [] : [{ SpecialToken: { id: bos.token, type_id } }]),
    { Sequence: { id: sequence, type_id } },
    ...(eos === undefined ? [] : [{ SpecialToken: { id: eos.token, type_id } }]),
  ];
  const special = [bos, eos].filter((one) => one !== undefined);
  return {
    type: 'TemplateProcessing',
    single: piecesOf('A', 0),
    pair: [...piecesOf('A', 0), ...piecesOf('B', 1)],
    special_tokens: Object.fromEntries(
      special.map(({ id, token }) => [token, { id: token, ids: [id], tokens: [token] }]),
    ),
  };
}
