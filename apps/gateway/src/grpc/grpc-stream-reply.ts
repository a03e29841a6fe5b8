import type { Metadata, ServerWritableStream } from '@grpc/grpc-js';
import type { AnswerDelta, AnswerHead, AnswerStreamOptions, AnswerUsage } from '#lib/openai';
import type { AnswerSink } from '../completion/answer-sink.js';
import { PacedWriter } from '../completion/paced-writer.js';

/** Makes the messages of one stream. */
export interface GrpcStream<Chunk> {
  deltas(deltas: readonly AnswerDelta[]): Chunk | undefined;
  end(usage: AnswerUsage): Chunk;
}

export type CreateGrpcStream<Chunk> = (head: AnswerHead, options: AnswerStreamOptions) => GrpcStream<Chunk>;

/** An answer as messages of a server stream; written to the call itself, because it says when the client is slow. */
export class GrpcStreamReply<Chunk> implements AnswerSink {
  private readonly writer: PacedWriter<Chunk>;
  private stream: GrpcStream<Chunk> | undefined;

  constructor(
    private readonly call: ServerWritableStream<unknown, Chunk>,
    signal: AbortSignal,
    private readonly create: CreateGrpcStream<Chunk>,
    private readonly trailer: Metadata,
  ) {
    this.writer = new PacedWriter(call, signal);
  }

  begin(head: AnswerHead, options: AnswerStreamOptions): void {
    this.stream = this.create(head, options);
  }

  deltas(deltas: readonly AnswerDelta[]): Promise<void> | undefined {
    const chunk = this.stream?.deltas(mergedByChoice(deltas));
    return chunk === undefined ? undefined : this.writer.write(chunk);
  }

  end(usage: AnswerUsage): void {
    if (this.stream !== undefined) this.call.write(this.stream.end(usage));
    this.call.end(this.trailer);
  }
}

/** A reader that fell behind gets several steps in one message; a choice stands in a message once. */
function mergedByChoice(deltas: readonly AnswerDelta[]): readonly AnswerDelta[] {
  if (deltas.length < 2) return deltas;
  const byChoice = new Map<number, AnswerDelta>();
  for (const delta of deltas) {
    const earlier = byChoice.get(delta.choiceIndex);
    if (earlier === undefined) {
      byChoice.set(delta.choiceIndex, delta);
    } else {
      const text = earlier.text + delta.text;
      const tokenIds = [...earlier.tokenIds, ...delta.tokenIds];
      const logprobs = delta.logprobs && [...(earlier.logprobs ?? []), ...delta.logprobs];
      byChoice.set(delta.choiceIndex, { ...delta, text, tokenIds, ...(logprobs && { logprobs }) });
    }
  }
  return [...byChoice.values()];
}
