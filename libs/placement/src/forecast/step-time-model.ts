/** What one step of a worker carried. */
export interface StepLoad {
  readonly prefillTokens: number;
  readonly decodingSequences: number;
  /** Context of the decoding sequences, in tokens. */
  readonly contextTokens: number;
  /** Sum over the prompt chunks of n · (tokens before the chunk + n / 2). */
  readonly attentionPairs: number;
}

const FEATURES = 5;
/** Brings what steps carry to about 1. */
const SCALES = [1, 1 / 1_024, 1 / 64, 1 / 65_536, 1 / 4_194_304] as const;
/** Before anything was observed, in milliseconds per scaled feature: a slow GPU. Later only its proportions count. */
const PRIOR_MS = [10, 40, 2, 4, 8] as const;
/** Observations that the prior counts for. */
const PRIOR_WEIGHT = 0.01;
/** Of one observation in the next: what happened 2,000 steps ago counts a third. */
const FORGETTING = 0.9995;

/**
 * How long a step takes: a linear function of what it carries, `w · (1, P, D, CTX, A)`, fitted online by least squares with
 * forgetting. It learns a worker's speed from its own steps; nothing is configured. The normal equations are kept and solved
 * when somebody asks: unlike a recursive inverse, that stays sound when steps are alike for hours.
 */
export class StepTimeModel {
  /** Weighted sums of products of features, shape [FEATURES, FEATURES], and of features with durations. */
  private readonly products = new Float64Array(FEATURES * FEATURES);
  private readonly responses = new Float64Array(FEATURES);
  private readonly features = new Float64Array(FEATURES);
  /** Milliseconds for one of each feature, never below 0. */
  private weights: Float64Array | undefined;
  private hasObserved = false;

  /** @param fleet  what a worker is taken for that was never observed: one like the others, so that it gets its share of requests */
  constructor(private readonly fleet?: StepTimeModel) {}

  observe(load: StepLoad, durationMs: number): void {
    const { features, products, responses } = this;
    scaled(load, features);
    for (let row = 0; row < FEATURES; row++) {
      responses[row] = FORGETTING * responses[row]! + features[row]! * durationMs;
      for (let column = 0; column < FEATURES; column++) {
        const index = row * FEATURES + column;
        products[index] = FORGETTING * products[index]! + features[row]! * features[column]!;
      }
    }
    this.weights = undefined;
    this.hasObserved = true;
  }

  /** Milliseconds, never below 0. */
  stepMs({ prefillTokens, decodingSequences, contextTokens, attentionPairs }: StepLoad): number {
    return this.msOf(prefillTokens, decodingSequences, contextTokens, attentionPairs);
  }

  /** As `stepMs`; without an object, for decisions that ask hundreds of times. */
  msOf(prefillTokens: number, decodingSequences: number, contextTokens: number, attentionPairs: number): number {
    if (!this.hasObserved && this.fleet !== undefined) {
      return this.fleet.msOf(prefillTokens, decodingSequences, contextTokens, attentionPairs);
    }
    const weights = this.weights ?? this.solve();
    return (
      weights[0]! +
      weights[1]! * prefillTokens +
      weights[2]! * decodingSequences +
      weights[3]! * contextTokens +
      weights[4]! * attentionPairs
    );
  }

  private solve(): Float64Array {
    const weights = solved(this.products, this.responses).map(
      (weight, feature) => Math.max(0, weight) * SCALES[feature]!,
    );
    this.weights = weights;
    return weights;
  }
}

function scaled(load: StepLoad, into: Float64Array): void {
  into[0] = 1;
  into[1] = load.prefillTokens * SCALES[1];
  into[2] = load.decodingSequences * SCALES[2];
  into[3] = load.contextTokens * SCALES[3];
  into[4] = load.attentionPairs * SCALES[4];
}

/** The weights that fit best, with a little of the prior; by Cholesky, since the matrix is symmetric and positive. */
function solved(products: Float64Array, responses: Float64Array): Float64Array {
  const lower = new Float64Array(FEATURES * FEATURES);
  const weights = new Float64Array(FEATURES);
  const speed = speedOf(products, responses);
  for (let row = 0; row < FEATURES; row++) {
    let response = responses[row]! + PRIOR_WEIGHT * speed * PRIOR_MS[row]!;
    for (let column = 0; column <= row; column++) {
      let sum = products[row * FEATURES + column]! + (row === column ? PRIOR_WEIGHT : 0);
      for (let k = 0; k < column; k++) sum -= lower[row * FEATURES + k]! * lower[column * FEATURES + k]!;
      const pivot = lower[column * FEATURES + column]!;
      lower[row * FEATURES + column] = row === column ? Math.sqrt(Math.max(sum, Number.EPSILON)) : sum / pivot;
    }
    for (let k = 0; k < row; k++) response -= lower[row * FEATURES + k]! * weights[k]!;
    weights[row] = response / lower[row * FEATURES + row]!;
  }
  for (let row = FEATURES - 1; row >= 0; row--) {
    let rest = weights[row]!;
    for (let k = row + 1; k < FEATURES; k++) rest -= lower[k * FEATURES + row]! * weights[k]!;
    weights[row] = rest / lower[row * FEATURES + row]!;
  }
  return weights;
}

/** Observed time over the prior's: the first feature is always 1, so its row of sums is what all steps carried together. */
function speedOf(products: Float64Array, responses: Float64Array): number {
  const expectedMs = PRIOR_MS.reduce((sum, weightMs, feature) => sum + weightMs * products[feature]!, 0);
  return expectedMs > 0 ? responses[0]! / expectedMs : 1;
}
