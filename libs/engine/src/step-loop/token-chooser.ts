import type { Logits } from '../model-runner.js';
import { uniformAt } from '../sampling/philox.js';
import { InvalidLogitsError, Sampler } from '../sampling/sampler.js';
import type { Sequence } from './generation.js';

export type Choice =
  | { readonly kind: 'token'; readonly tokenId: number }
  /** The logits hold no choice; the generation cannot go on. */
  | { readonly kind: 'fault'; readonly message: string };

/** Chooses a sequence's next token from its row of logits: a pure function of both. */
export class TokenChooser {
  private readonly sampler = new Sampler();
  private readonly scratch: Float32Array;

  constructor(private readonly vocabularySize: number) {
    this.scratch = new Float32Array(vocabularySize);
  }

  choose(sequence: Sequence, logits: Logits, row: number): Choice {
    const { sampling } = sequence.generation.request;
    const own = logits.data.subarray(row * this.vocabularySize, (row + 1) * this.vocabularySize);
    try {
      const u = sampling.temperature > 0 ? uniformAt(sampling.seed, sequence.index, sequence.knownTokens) : 0;
      return { kind: 'token', tokenId: this.sampler.sample(this.adjusted(sequence, own), sampling, u) };
    } catch (error) {
      if (error instanceof InvalidLogitsError) return { kind: 'fault', message: error.message };
      throw error;
    }
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
