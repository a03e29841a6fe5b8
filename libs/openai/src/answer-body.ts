import { type AnswerDelta, type AnswerHead, type AnswerUsage, type FinishWord, usageBody } from './answer.js';
import { chatLogprobs, completionLogprobs, type PositionCandidates, promptLogprobs } from './logprobs.js';

/** One choice of a whole answer. */
export interface WholeChoice {
  readonly text: string;
  readonly tokenIds: readonly number[];
  readonly finish: FinishWord | undefined;
  readonly stopReason: string | number | undefined;
  /** Set when asked for. */
  readonly logprobs?: readonly PositionCandidates[];
  /** Of the prompt, when asked for. */
  readonly promptLogprobs?: readonly PositionCandidates[];
}

interface GrowingChoice {
  text: string;
  tokenIds: number[];
  finish: FinishWord | undefined;
  stopReason: string | number | undefined;
  logprobs?: PositionCandidates[];
  promptLogprobs?: readonly PositionCandidates[];
}

/** Collects the deltas of an answer that is sent whole. Bounded by max_tokens of its choices. */
export class AnswerCollector {
  readonly #choices: GrowingChoice[];

  /** @param choiceCount  prompts × n */
  constructor(
    choiceCount: number,
    private readonly keepsTokenIds: boolean,
  ) {
    this.#choices = [];
    for (let i = 0; i < choiceCount; i++) {
      this.#choices.push({ text: '', tokenIds: [], finish: undefined, stopReason: undefined });
    }
  }

  add(delta: AnswerDelta): void {
    const choice = this.#choices[delta.choiceIndex];
    if (choice === undefined) throw new RangeError(`choice ${delta.choiceIndex} of ${this.#choices.length}`);
    choice.text += delta.text;
    if (this.keepsTokenIds) for (const id of delta.tokenIds) choice.tokenIds.push(id);
    if (delta.logprobs !== undefined) {
      choice.logprobs ??= [];
      for (const position of delta.logprobs) choice.logprobs.push(position);
    }
    choice.promptLogprobs ??= delta.promptLogprobs;
    if (delta.finish === undefined) return;
    choice.finish = delta.finish;
    choice.stopReason = delta.stopReason;
  }

  /** Choices that go on end where they are. */
  cut(): void {
    for (const choice of this.#choices) choice.finish ??= 'length';
  }

  get choices(): readonly WholeChoice[] {
    return this.#choices;
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
      logprobs: choice.logprobs ? completionLogprobs(choice.logprobs) : null,
      finish_reason: finishReason(choice),
      stop_reason: choice.stopReason ?? null,
      ...(choice.promptLogprobs && { prompt_logprobs: promptLogprobs(choice.promptLogprobs) }),
      ...(answer.returnTokenIds && {
        token_ids: choice.tokenIds,
        prompt_token_ids: answer.promptTokenIds[Math.floor(index / answer.choicesPerPrompt)] ?? [],
      }),
    })),
    usage: usageBody(answer.usage),
  };
}

function chatBody(head: AnswerHead, answer: WholeAnswer) {
  const promptPositions = answer.choices[0]?.promptLogprobs;
  return {
    id: head.id,
    object: 'chat.completion' as const,
    created: head.created,
    model: head.model,
    system_fingerprint: head.systemFingerprint,
    choices: answer.choices.map((choice, index) => ({
      index,
      message: { role: 'assistant' as const, content: choice.text, refusal: null },
      logprobs: choice.logprobs ? chatLogprobs(choice.logprobs) : null,
      finish_reason: finishReason(choice),
      stop_reason: choice.stopReason ?? null,
      ...(answer.returnTokenIds && { token_ids: choice.tokenIds }),
    })),
    usage: usageBody(answer.usage),
    ...(answer.returnTokenIds && { prompt_token_ids: answer.promptTokenIds[0] ?? [] }),
    ...(promptPositions && { prompt_logprobs: promptLogprobs(promptPositions) }),
  };
}

/** A whole answer is sent only when every choice has ended. */
function finishReason({ finish }: WholeChoice): FinishWord {
  if (finish === undefined) throw new Error('a choice has no finish reason');
  return finish;
}
