import type { CompletionCall } from './call.js';
import { invalidValue } from './validation-error.js';

/** Upper bounds on what one client may ask for; absent means none. */
export interface RequestCaps {
  /** Tokens of one choice. */
  readonly maxTokens?: number;
  /** Choices per prompt. */
  readonly choices?: number;
  readonly priority?: number;
}

/** @throws ApiError invalid_value that names the first parameter above its cap */
export function assertCaps(call: CompletionCall, caps: RequestCaps): void {
  const { maxTokens, minTokens } = call.stop;
  assertCap(maxTokensParam(call), Math.max(maxTokens ?? 0, minTokens), caps.maxTokens);
  assertCap('n', call.choicesPerPrompt, caps.choices);
  assertCap('priority', call.priority, caps.priority);
}

/** The parameter that asks for the most output, as the client spells it. */
export function maxTokensParam(call: CompletionCall): string {
  if (call.stop.maxTokens === undefined) return 'min_tokens';
  return call.activeParameters.includes('max_completion_tokens') ? 'max_completion_tokens' : 'max_tokens';
}

function assertCap(param: string, value: number, cap = Infinity): void {
  if (value > cap) throw invalidValue(param, `at most ${cap} is allowed to you`);
}
