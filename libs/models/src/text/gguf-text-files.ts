import { UnsupportedModelError } from '../errors.js';
import { GgufHeader } from '../gguf-header.js';
import { ggufEosTokenIds } from '../gguf-model-config.js';
import { byteLevelTokenizer } from './byte-level-tokenizer.js';
import { GgufVocabulary } from './gguf-vocabulary.js';
import { sentencePieceTokenizer } from './sentence-piece-tokenizer.js';
import { TOOL_USE_TEMPLATE } from './template-files.js';

/** Makes the hub's text files from the metadata of a GGUF file. */
export async function ggufTextFiles(path: string): Promise<Map<string, Uint8Array>> {
  const header = await GgufHeader.read(path);
  const vocabulary = GgufVocabulary.read(header);
  const files = new Map<string, Uint8Array>();
  const put = (name: string, text: string) => files.set(name, new TextEncoder().encode(text));
  put('tokenizer.json', JSON.stringify(tokenizer(header, vocabulary)));
  put('tokenizer_config.json', JSON.stringify(tokenizerConfig(header, vocabulary)));
  const bosTokenId = header.number('tokenizer.ggml.bos_token_id');
  put('generation_config.json', JSON.stringify({ bos_token_id: bosTokenId, eos_token_id: ggufEosTokenIds(header) }));
  const template = header.string('tokenizer.chat_template');
  if (template !== undefined) put('chat_template.jinja', template);
  const toolUse = header.string('tokenizer.chat_template.tool_use');
  if (toolUse !== undefined) put(TOOL_USE_TEMPLATE, toolUse);
  return files;
}

function tokenizer(header: GgufHeader, vocabulary: GgufVocabulary): object {
  const kind = header.required('tokenizer.ggml.model', header.string('tokenizer.ggml.model'));
  switch (kind) {
    case 'gpt2':
      return byteLevelTokenizer(header, vocabulary);
    case 'llama':
      return sentencePieceTokenizer(header, vocabulary);
    default:
      throw new UnsupportedModelError(
        header.path,
        `its tokenizer is of kind ${JSON.stringify(kind)}; known are gpt2 (byte-level BPE) and llama (SentencePiece BPE)`,
      );
  }
}

function tokenizerConfig(header: GgufHeader, vocabulary: GgufVocabulary): object {
  const special = (name: string) => vocabulary.tokenAt(header.number(`tokenizer.ggml.${name}_token_id`));
  return {
    bos_token: special('bos'),
    eos_token: special('eos'),
    unk_token: special('unknown'),
    pad_token: special('padding'),
    clean_up_tokenization_spaces: false,
  };
}
