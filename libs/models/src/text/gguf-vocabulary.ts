import { UnsupportedModelError } from '../errors.js';
import type { GgufHeader } from '../gguf-header.js';

/** `tokenizer.ggml.token_type`. @see https://github.com/ggml-org/llama.cpp/blob/master/include/llama.h llama_token_type */
const CONTROL = 3;
const USER_DEFINED = 4;

/** An entry of `added_tokens` in a tokenizer.json: found in the text before anything else is done with it. */
export interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly single_word: false;
  readonly lstrip: false;
  readonly rstrip: false;
  readonly normalized: false;
  readonly special: boolean;
}

/** Tokens of a GGUF file with their kinds; the id is the place in the list. */
export class GgufVocabulary {
  private constructor(
    readonly tokens: readonly string[],
    private readonly types: readonly number[],
  ) {}

  static read(header: GgufHeader): GgufVocabulary {
    const tokens = header.required('tokenizer.ggml.tokens', header.strings('tokenizer.ggml.tokens'));
    const types = header.numbers('tokenizer.ggml.token_type') ?? [];
    if (types.length > 0 && types.length !== tokens.length) {
      const counts = `${tokens.length} tokens and ${types.length} token types`;
      throw new UnsupportedModelError(header.path, `its metadata has ${counts}`);
    }
    return new GgufVocabulary(tokens, types);
  }

  tokenAt(id: number | undefined): string | undefined {
    return id === undefined ? undefined : this.tokens[id];
  }

  /** Ids by token, for a tokenizer.json's `vocab`. */
  byToken(): Map<string, number> {
    return new Map(this.tokens.map((token, id) => [token, id]));
  }

  /** Control tokens, which are no text (special), and whole words that the model's makers added (not special). */
  addedTokens(): AddedToken[] {
    return this.tokens.flatMap((content, id) => {
      const type = this.types[id];
      if (type !== CONTROL && type !== USER_DEFINED) return [];
      const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false } as const;
      return [{ id, content, ...flags, special: type === CONTROL }];
    });
  }

  isAdded(id: number): boolean {
    return this.types[id] === CONTROL || this.types[id] === USER_DEFINED;
  }
}
