/**
 * What a token costs, in whole billionths of a currency unit, which are millionths per 1,000 tokens: 0.15 per million tokens
 * is 150. Costs are exact sums of whole numbers; nothing is rounded before it is shown.
 */
export interface Price {
  readonly input: number;
  /** Of a prompt token that a prefix cache had; at most `input`, which is what is reserved. */
  readonly cachedInput: number;
  readonly output: number;
}

export const NANOS_PER_MICRO = 1_000;

/** Tokens that were used, over all prompts and choices. */
export interface TokenUse {
  readonly promptTokens: number;
  /** Those of the prompts that came from a prefix cache. */
  readonly cachedTokens: number;
  readonly completionTokens: number;
}

/** @returns billionths of a currency unit */
export function costNanos(price: Price, { promptTokens, cachedTokens, completionTokens }: TokenUse): number {
  const computed = promptTokens - cachedTokens;
  return computed * price.input + cachedTokens * price.cachedInput + completionTokens * price.output;
}
