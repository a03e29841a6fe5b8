/** Attention pairs of the last `tokens` of a prompt with all before them and half of themselves. */
export function pairsOf(promptTokens: number, tokens: number): number {
  return tokens * (promptTokens - tokens / 2);
}
