import type { OnnxModelRunner } from '#lib/engine-onnx';
import { uniformAt } from '../../libs/engine/src/sampling/philox.js';
import { naiveSample } from '../../libs/engine/testing/naive-sampler.js';

/** In the public API's spelling. */
export interface ReferenceSampling {
  readonly temperature?: number;
  readonly top_p?: number;
  readonly top_k?: number;
  readonly min_p?: number;
  readonly repetition_penalty?: number;
  readonly presence_penalty?: number;
  readonly frequency_penalty?: number;
  readonly logit_bias?: Readonly<Record<string, number>>;
  readonly seed?: number;
}

/** What docs/sampling.md defines, as it reads: one token after the other, by the model's own logits. */
export async function referenceTokens(
  runner: OnnxModelRunner,
  promptTokenIds: readonly number[],
  sampling: ReferenceSampling,
  sequenceIndex: number,
  count: number,
): Promise<number[]> {
  const { temperature = 1, top_p: topP = 1, top_k: topK = 0, min_p: minP = 0, seed = 0 } = sampling;
  const prompt = { slot: 0, position: 0, tokenIds: promptTokenIds, logitsFor: 'last' } as const;
  let logits = (await runner.prefill(prompt))!.data;
  const tokenIds: number[] = [];
  for (;;) {
    const adjusted = adjust(logits.slice(), sampling, promptTokenIds, tokenIds);
    const position = promptTokenIds.length + tokenIds.length;
    const u = uniformAt(seed < 0 ? seed + 2 ** 53 : seed, sequenceIndex, position);
    tokenIds.push(naiveSample(adjusted, { temperature, topP, topK, minP }, u).tokenId);
    if (tokenIds.length === count) return tokenIds;
    logits = (await runner.decode([{ slot: 0, position, tokenId: tokenIds.at(-1)! }])).data;
  }
}

function adjust(
  logits: Float32Array,
  sampling: ReferenceSampling,
  promptTokenIds: readonly number[],
  generatedIds: readonly number[],
): Float32Array {
  const {
    repetition_penalty: repetition = 1,
    presence_penalty: presence = 0,
    frequency_penalty: frequency = 0,
    logit_bias: bias = {},
  } = sampling;
  for (let id = 0; id < logits.length; id++) {
    const count = generatedIds.filter((generated) => generated === id).length;
    if (count > 0 || promptTokenIds.includes(id)) logits[id]! *= logits[id]! > 0 ? 1 / repetition : repetition;
    if (count > 0) logits[id]! -= presence + frequency * count;
    logits[id]! += bias[id] ?? 0;
  }
  return logits;
}
