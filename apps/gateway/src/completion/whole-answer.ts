import {
  AnswerCollector,
  type AnswerDelta,
  type AnswerHead,
  type AnswerStreamOptions,
  type AnswerUsage,
  type WholeAnswer,
} from '#lib/openai';
import type { AnswerSink } from './answer-sink.js';

/** Collects an answer that is sent whole. */
export class WholeAnswerSink implements AnswerSink {
  private begun: { head: AnswerHead; options: AnswerStreamOptions; collector: AnswerCollector } | undefined;

  begin(head: AnswerHead, options: AnswerStreamOptions): void {
    const choices = options.promptTokenIds.length * options.choicesPerPrompt;
    this.begun = { head, options, collector: new AnswerCollector(choices, options.returnTokenIds) };
  }

  deltas(deltas: readonly AnswerDelta[]): undefined {
    for (const delta of deltas) this.begun?.collector.add(delta);
  }

  cut(): void {
    this.begun?.collector.cut();
  }

  whole(usage: AnswerUsage): { head: AnswerHead; answer: WholeAnswer } {
    if (this.begun === undefined) throw new Error('the answer has not begun');
    const { head, options, collector } = this.begun;
    const { returnTokenIds, promptTokenIds, choicesPerPrompt } = options;
    return { head, answer: { choices: collector.choices, usage, returnTokenIds, promptTokenIds, choicesPerPrompt } };
  }
}
