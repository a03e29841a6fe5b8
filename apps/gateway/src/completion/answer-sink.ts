import type { AnswerDelta, AnswerHead, AnswerStreamOptions } from '#lib/openai';

/** What becomes of an answer: events of a REST stream, messages of a gRPC stream, or a whole body. */
export interface AnswerSink {
  /** Once, when the request is known to be good; nothing has been placed yet. */
  begin(head: AnswerHead, options: AnswerStreamOptions): void;
  /** What one step gave. A promise means: the reader is slow, send no more before it resolves. */
  deltas(deltas: readonly AnswerDelta[]): Promise<void> | undefined;
  /** Ends what goes on where it is, as at `max_tokens`. Absent where an error can be told behind what was delivered. */
  cut?(): void;
}
