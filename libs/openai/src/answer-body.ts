import { type AnswerDelta, type AnswerHead, type AnswerUsage, type FinishWord, usageBody } from './answer.js';

/** One choice of a whole answer. */
export interface WholeChoice {
  readonly text: string;
  readonly tokenIds: readonly number[];
  readonly finish: FinishWord | undefined;
  readonly stopReason: string | number | undefined;
}

/** Collects the deltas of an answer that is sent whole. Bounded by max_tokens of its choices. */
export class AnswerCollector {
  readonly #choices: { text: string; tokenIds: number[]; finish?: FinishWord; stopReason?: string | number }[];

  /** @param choiceCount  prompts × n */
  constructor(
    choiceCount: number,
    private readonly keepsTokenIds: boolean,
  ) {
    this.#choices = Array.from({ length: choiceCount }, () => ({ text: '', tokenIds: [] }));
  }

  add(delta: AnswerDelta): void {
    const choice = this.#choices[delta.choiceIndex];
    if (choice === undefined) throw new RangeError(`choice ${delta.choiceIndex} of ${this.#choices.length}`);
    choice.text += delta.text;
    if (this.keepsTokenIds) for (const id of delta.tokenIds) choice.tokenIds.push(id);
    if (delta.finish === undefined) return;
    choice.finish = delta.finish;
    choice.stopReason = delta.stopReason;
  }

  get choices(): readonly WholeChoice[] {
    return this.#choices.map(({ text, tokenIds, finish, stopReason }) => ({ text, tokenIds, finish, stopReason }));
  }
}

export interface WholeAnswer {
  readonly choices: readonly WholeChoice[];
  readonly usage: AnswerUsage;
  readonly returnTokenIds: boolean;
  /** Token ids of each prompt; read with `returnTokenIds` only. */
  readonly promptTokenIds: readonly (readonly number[])[];
  readonly choicesPerPrompt: number;
}

/** The body of a whole answer, for either route. */
export function toAnswerBody(head: AnswerHead, answer: WholeAnswer): CompletionBody | ChatCompletionBody {
  return head.kind === 'chat' ? chatBody(head, answer) : completionBody(head, answer);
}

export type CompletionBody = ReturnType<typeof completionBody>;
export type ChatCompletionBody = ReturnType<typeof chatBody>;

function completionBody(head: AnswerHead, answer: WholeAnswer) {
  return {
    id: head.id,
    object: 'text_completion' as const,
    created: head.created,
    model: head.model,
    system_fingerprint: head.systemFingerprint,
    choices: answer.choices.map((choice, index) => ({
      index,
      text: choice.text,
      logprobs: null,
      finish_reason: finishReason(choice),
      stop_reason: choice.stopReason ?? null,
      ...(answer.returnTokenIds && {
        token_ids: choice.tokenIds,
        prompt_token_ids: answer.promptTokenIds[Math.floor(index / answer.choicesPerPrompt)] ?? [],
      }),
    })),
    usage: usageBody(answer.usage),
  };
}

function chatBody(head: AnswerHead, answer: WholeAnswer) {
  return {
    id: head.id,
    object: 'chat.completion' as const,
    created: head.created,
    model: head.model,
    system_fingerprint: head.systemFingerprint,
    choices: answer.choices.map((choice, index) => ({
      index,
      message: { role: 'assistant' as const, content: choice.text, refusal: null },
      logprobs: null,
      finish_reason: finishReason(choice),
      stop_reason: choice.stopReason ?? null,
      ...(answer.returnTokenIds && { token_ids: choice.tokenIds }),
    })),
    usage: usageBody(answer.usage),
    ...(answer.returnTokenIds && { prompt_token_ids: answer.promptTokenIds[0] ?? [] }),
  };
}

/** A whole answer is sent only when every choice has ended. */
function finishReason({ finish }: WholeChoice): FinishWord {
  if (finish === undefined) throw new Error('a choice has no finish reason');
  return finish;
}
