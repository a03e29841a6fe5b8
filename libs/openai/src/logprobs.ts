import type { TokenLogprob } from '#lib/contracts';

/** A token that was or could have been chosen at one position of a choice. */
export interface Candidate {
  readonly tokenId: number;
  /** Broken characters are U+FFFD. */
  readonly token: string;
  readonly bytes: Uint8Array;
  /** NaN for a prompt's first token: nothing stands before it. */
  readonly logprob: number;
}

/** What is told of one position of a choice. */
export interface PositionCandidates {
  readonly chosen: Candidate;
  /** The best, in descending order. */
  readonly top: readonly Candidate[];
  /** Where the token begins in the choice's text, in Unicode characters. */
  readonly textOffset: number;
}

/** As in vLLM: JSON has no infinity. */
const LEAST_LOGPROB = -9_999;

export function toCandidate({ tokenId, tokenBytes, logprob }: TokenLogprob): Candidate {
  return { tokenId, token: textOf(tokenBytes), bytes: tokenBytes, logprob: Math.max(logprob, LEAST_LOGPROB) };
}

/** A prompt's first token. */
export function firstCandidate(tokenId: number, bytes: Uint8Array): Candidate {
  return { tokenId, token: textOf(bytes), bytes, logprob: Number.NaN };
}

/**
 * OpenAI's form of completions. The chosen token is listed beside the best when it is none of them. A prompt's first token
 * has null for both, which OpenAI's types do not know.
 */
export function completionLogprobs(positions: readonly PositionCandidates[]) {
  return {
    tokens: positions.map(({ chosen }) => chosen.token),
    token_logprobs: positions.map((position) => (isKnown(position) ? position.chosen.logprob : null)) as number[],
    top_logprobs: positions.map((position) => (isKnown(position) ? topByToken(position) : null)) as Record<
      string,
      number
    >[],
    text_offset: positions.map(({ textOffset }) => textOffset),
  };
}

/** OpenAI's form of chat. */
export function chatLogprobs(positions: readonly PositionCandidates[]) {
  const content = positions.map(({ chosen, top }) => ({
    ...chatCandidate(chosen),
    top_logprobs: top.map(chatCandidate),
  }));
  return { content, refusal: null };
}

/** vLLM's form of `prompt_logprobs`. The rank of a token that is none of the best is not known. */
export function promptLogprobs(positions: readonly PositionCandidates[]) {
  return positions.map((position) => {
    if (!isKnown(position)) return null;
    const { chosen, top } = position;
    const listed: Record<string, { logprob: number; rank: number | null; decoded_token: string }> = {};
    for (const [index, { tokenId, token, logprob }] of top.entries()) {
      listed[tokenId] = { logprob, rank: index + 1, decoded_token: token };
    }
    listed[chosen.tokenId] ??= { logprob: chosen.logprob, rank: null, decoded_token: chosen.token };
    return listed;
  });
}

/** The public gRPC form; a prompt's first token has NaN. */
export function grpcLogprobs(positions: readonly PositionCandidates[]) {
  return positions.map(({ chosen, top }) => ({
    ...grpcCandidate(chosen),
    top: top.map((candidate) => ({ ...grpcCandidate(candidate), top: [] })),
  }));
}

function isKnown({ chosen }: PositionCandidates): boolean {
  return !Number.isNaN(chosen.logprob);
}

/** Different tokens can have the same text (parts of characters): the better one stays. */
function topByToken({ chosen, top }: PositionCandidates): Record<string, number> {
  const listed = new Map<string, number>();
  for (const { token, logprob } of [...top, chosen]) if (!listed.has(token)) listed.set(token, logprob);
  return Object.fromEntries(listed);
}

function chatCandidate({ token, bytes, logprob }: Candidate) {
  return { token, logprob, bytes: [...bytes] };
}

function grpcCandidate({ token, bytes, logprob }: Candidate) {
  return { token, logprob, tokenBytes: Buffer.from(bytes) };
}

function textOf(bytes: Uint8Array): string {
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
}
