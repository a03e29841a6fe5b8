import { describe, expect, it } from 'vitest';
import type { SamplingParams } from '#lib/contracts';
import { requestOf } from '../../testing/requests.js';
import { LogitAdjustments } from './logit-adjustments.js';

function adjusted(
  sampling: Partial<SamplingParams>,
  prompt: number[],
  generated: number[],
  values: number[],
): number[] {
  const adjustments = LogitAdjustments.of(requestOf({ sampling }).sampling!, prompt);
  for (const tokenId of generated) adjustments?.count(tokenId);
  const logits = Float32Array.from(values);
  adjustments?.apply(logits);
  return [...logits];
}

describe('LogitAdjustments', () => {
  it('given nothing asked for, then there is nothing', () => {
    expect(LogitAdjustments.of(requestOf({}).sampling!, [1])).toBeUndefined();
  });

  it('given a repetition penalty, then tokens of prompt and output shrink once, towards less likely on either side of 0', () => {
    expect(adjusted({ repetitionPenalty: 2 }, [0, 1, 1], [1, 2], [4, -4, 6, 8])).toEqual([2, -8, 3, 8]);
  });

  it('given presence and frequency penalties, then only generated tokens pay, by their count', () => {
    expect(adjusted({ presencePenalty: 1, frequencyPenalty: 0.5 }, [0], [1, 1, 2], [4, 4, 4, 4])).toEqual([
      4, 2, 2.5, 4,
    ]);
  });

  it('given a bias, then it is added last', () => {
    expect(adjusted({ repetitionPenalty: 2, logitBias: { 0: 10, 3: -100 } }, [0], [], [4, 4, 4, 4])).toEqual([
      12, 4, 4, -96,
    ]);
  });
});
