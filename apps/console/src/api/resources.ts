/** What the public API answers, as far as the console reads it; described in full at `/docs`. */

export interface List<T> {
  readonly data: readonly T[];
}

export interface Model {
  readonly id: string;
  /** The model behind an alias. */
  readonly parent: string | null;
  readonly max_model_len: number;
  readonly capabilities: readonly string[];
}

export interface Usage {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly prompt_tokens_details?: { readonly cached_tokens?: number };
}
