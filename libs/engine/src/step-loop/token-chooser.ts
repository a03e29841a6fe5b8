import type { PositionLogprobs } from '#lib/contracts';
import type { TokenTable } from '#lib/tokens';
import type { Logits } from '../model-runner.js';
import { InvalidLogitsError } from '../sampling/largest-logit.js';
import { positionLogprobs } from '../sampling/logprobs.js';
import { uniformAt } from '../sampling/philox.js';
import { Sampler } from '../sampling/sampler.js';
import type { Sequence } from './generation.js';

export type Choice =
  | { readonly kind: 'token'; readonly tokenId: number; readonly logprobs?: PositionLogprobs }
  /** The logits hold no choice; the generation cannot go on. */
  | Fault;

export interface Fault {
  readonly kind: 'fault';
  readonly message: string;
}

/** Chooses a sequence's next token from its row of logits: a pure function of both. */
export class TokenChooser {
  private readonly sampler = new Sampler();
  private readonly scratch: Float32Array;

  constructor(
    private readonly vocabularySize: number,
    private readonly table: Pick<TokenTable, 'bytes'>,
  ) {
    this.scratch = new Float32Array(vocabularySize);
  }

  choose(sequence: Sequence, logits: Logits, row: number): Choice {
    const { sampling } = sequence.generation.request;
    const own = this.rowOf(logits, row);
    const u = sampling.temperature > 0 ? uniformAt(sampling.seed, sequence.index, sequence.knownTokens) : 0;
    return faultOr<Choice>(() => {
      const tokenId = this.sampler.sample(this.adjusted(sequence, own), sampling, u);
      if (!sampling.reportLogprobs) return { kind: 'token', tokenId };
      return { kind: 'token', tokenId, logprobs: this.logprobsOf(own, tokenId, sampling.topLogprobs) };
    });
  }

  /**
   * Log-probabilities of the tokens that follow those of a chunk of the prompt.
   * @param logits  of all tokens of the chunk
   * @param from    position of the chunk's first token
   */
  promptLogprobs(
    { generation, tokenIds }: Sequence,
    logits: Logits,
    from: number,
  ): { readonly promptLogprobs: readonly PositionLogprobs[] } | Fault {
    const { topLogprobs } = generation.request.sampling;
    const rows = Math.min(logits.rows, generation.promptTokens - 1 - from);
    return faultOr(() => ({
      promptLogprobs: Array.from({ length: Math.max(0, rows) }, (_, row) =>
        this.logprobsOf(this.rowOf(logits, row), tokenIds[from + row + 1]!, topLogprobs),
      ),
    }));
  }

  private rowOf(logits: Logits, row: number): Float32Array {
    return logits.data.subarray(row * this.vocabularySize, (row + 1) * this.vocabularySize);
  }

  private logprobsOf(logits: Float32Array, tokenId: number, topCount: number): PositionLogprobs {
    return positionLogprobs(logits, tokenId, topCount, (id) => this.table.bytes(id));
  }

  /** The runner's logits stay as they are: what is changed is changed in a copy. */
  private adjusted(sequence: Sequence, logits: Float32Array): Float32Array {
    const { generation, adjustments } = sequence;
    const mustGoOn = sequence.generatedTokens < generation.request.stop.minTokens;
    if (adjustments === undefined && !(mustGoOn && generation.stopTokenIds.size > 0)) return logits;
    this.scratch.set(logits);
    adjustments?.apply(this.scratch);
    if (mustGoOn) for (const tokenId of generation.stopTokenIds) this.scratch[tokenId] = -Infinity;
    return this.scratch;
  }
}

function faultOr<T>(choose: () => T): T | Fault {
  try {
    return choose();
  } catch (error) {
    if (error instanceof InvalidLogitsError) return { kind: 'fault', message: error.message };
    throw error;
  }
}
