import type { FrameEntry, PositionLogprobs } from '#lib/contracts';
import type { TokenTable } from '#lib/tokens';
import { type AnswerDelta, toAnswerDelta } from './answer.js';
import type { CompletionCall } from './call.js';
import { type Candidate, firstCandidate, type PositionCandidates, toCandidate } from './logprobs.js';

/** What stands before the text of a prompt's choices. */
export interface AnsweredPrompt {
  /** Place in the call. */
  readonly index: number;
  readonly tokenIds: readonly number[];
  /** What `echo` delivers; read with it only. */
  readonly text: string;
  /** Read for prompts that are echoed or told with log-probabilities, and for offsets. */
  readonly table: () => Pick<TokenTable, 'bytes' | 'isSpecial'>;
}

/** Frame entries of one prompt as deltas of the answer: with what `echo`, `logprobs` and `prompt_logprobs` add to them. */
export class PromptAnswer {
  private readonly offsets = new Map<number, TextOffset>();

  constructor(
    private readonly call: CompletionCall,
    private readonly prompt: AnsweredPrompt,
  ) {}

  delta(entry: FrameEntry): AnswerDelta {
    const { call, prompt } = this;
    const plain = toAnswerDelta(entry, prompt.index, call.choicesPerPrompt, call.stop);
    const { top, promptTop } = call.logprobs;
    if (!call.echo && top === undefined && promptTop === undefined) return plain;

    const isFirst = !this.offsets.has(entry.sequenceIndex);
    const offset = this.offsets.get(entry.sequenceIndex) ?? new TextOffset(prompt.table());
    this.offsets.set(entry.sequenceIndex, offset);
    const isEchoed = isFirst && call.echo;
    const echoed = isEchoed && top !== undefined ? this.promptPositions(entry, offset, top) : [];
    if (isEchoed) offset.moveTo(prompt.text);
    return {
      ...plain,
      text: isEchoed ? prompt.text + plain.text : plain.text,
      ...(top !== undefined && {
        logprobs: [...echoed, ...entry.logprobs.map((position) => toPosition(position, top, offset))],
      }),
      ...(isFirst &&
        promptTop !== undefined && {
          promptLogprobs: this.promptPositions(entry, new TextOffset(prompt.table()), promptTop),
        }),
    };
  }

  private promptPositions(entry: FrameEntry, offset: TextOffset, top: number): PositionCandidates[] {
    const tokenId = this.prompt.tokenIds[0];
    if (tokenId === undefined) return [];
    const chosen = firstCandidate(tokenId, this.prompt.table().bytes(tokenId));
    const first = { chosen, top: [], textOffset: offset.take(chosen) };
    return [first, ...entry.promptLogprobs.map((position) => toPosition(position, top, offset))];
  }
}

/** Counts the characters of a text by its tokens' bytes; a character spread over tokens counts with its last one. */
class TextOffset {
  private decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  private characters = 0;

  constructor(private readonly table: Pick<TokenTable, 'isSpecial'>) {}

  /** @returns where the token begins */
  take({ tokenId, bytes }: Candidate): number {
    const begin = this.characters;
    if (!this.table.isSpecial(tokenId)) this.characters += characterCount(this.decoder.decode(bytes, { stream: true }));
    return begin;
  }

  /** The text is this one so far. */
  moveTo(text: string): void {
    this.decoder = new TextDecoder('utf-8', { ignoreBOM: true });
    this.characters = characterCount(text);
  }
}

function toPosition({ chosen, top }: PositionLogprobs, count: number, offset: TextOffset): PositionCandidates {
  if (chosen === undefined) throw new Error('the worker told the log-probabilities of no token');
  const candidate = toCandidate(chosen);
  return { chosen: candidate, top: top.slice(0, count).map(toCandidate), textOffset: offset.take(candidate) };
}

function characterCount(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}
