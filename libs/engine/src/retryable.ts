import { FailureCode } from '#lib/contracts';

/** Whether a generation that was refused for this may be placed again, as the wire contract says of each code. */
export function isRetryable(code: FailureCode): boolean {
  return code !== FailureCode.INVALID_REQUEST && code !== FailureCode.DEADLINE_EXCEEDED;
}
