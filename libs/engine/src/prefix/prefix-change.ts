/** A change of a prefix store. Hashes are 32 hexadecimal digits. */
export type PrefixChange =
  /** Blocks of one chain that are held from now on, each the child of the one before; `parentHash` is absent for the start of a prompt. */
  | { readonly kind: 'stored'; readonly parentHash?: string; readonly hashes: readonly string[] }
  | { readonly kind: 'removed'; readonly hashes: readonly string[] };
