import fc from 'fast-check';
import type { SamplingParams } from '#lib/contracts';

/** A request of a schedule, by value: each run of the schedule makes requests with ids of their own. */
export interface ScheduledRequest {
  readonly promptTokenIds: number[];
  /** What an earlier attempt has given. */
  readonly acceptedTokenIds?: number[];
  readonly sequenceCount: number;
  readonly initialCredit: number;
  readonly sampling: Partial<SamplingParams>;
  readonly stop: { readonly maxTokens: number; readonly ignoreEos: boolean };
}

/** What happens, in this order; `passes` lets the model run so many times. */
export type Command =
  | { readonly kind: 'submit'; readonly request: ScheduledRequest }
  | { readonly kind: 'cancel'; readonly which: number }
  | { readonly kind: 'credit'; readonly which: number; readonly tokens: number }
  | { readonly kind: 'passes'; readonly count: number };

export interface ScheduleLimits {
  readonly vocabularySize: number;
  readonly promptTokens: number;
  readonly maxTokens: number;
  readonly requests: number;
}

/** At times short prompts at once, then arrivals at any step, with prompts and outputs of any length, readers that lag and clients that leave. */
export function schedules(limits: ScheduleLimits): fc.Arbitrary<readonly Command[]> {
  const submit = requests(limits).map((request): Command => ({ kind: 'submit', request }));
  const which = fc.nat(limits.requests);
  const between = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({ kind: fc.constant('passes' as const), count: fc.integer({ min: 1, max: 12 }) }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('cancel' as const), which }) },
    {
      weight: 2,
      arbitrary: fc.record({ kind: fc.constant('credit' as const), which, tokens: fc.integer({ min: 1, max: 20 }) }),
    },
  );
  const short = requests({ ...limits, promptTokens: 24 }).map(
    (request): Command => ({
      kind: 'submit',
      request: { ...request, sequenceCount: 1, sampling: { ...request.sampling, reportPromptLogprobs: false } },
    }),
  );
  const burst = fc.oneof(fc.constant([]), fc.array(short, { minLength: 2, maxLength: 4 }));
  const arrivals = fc
    .array(fc.tuple(submit, fc.array(between, { maxLength: 4 })), { minLength: 2, maxLength: limits.requests })
    .map((parts) => parts.flatMap(([first, rest]) => [first, ...rest]));
  return fc.tuple(burst, arrivals).map(([together, rest]) => [...together, ...rest]);
}

/** Many prompts begin alike. Mostly of one sequence. Greedy or sampled in every way, some with penalties, which depend on all that came before. */
export function requests({ vocabularySize, promptTokens, maxTokens }: ScheduleLimits): fc.Arbitrary<ScheduledRequest> {
  return fc.record({
    promptTokenIds: prompts(vocabularySize, promptTokens),
    sequenceCount: fc.constantFrom(1, 1, 1, 3),
    initialCredit: fc.constantFrom(1, 5, 1_000, 1_000),
    sampling: fc.record({
      temperature: fc.constantFrom(0, 0, 0.8, 1.5),
      topP: fc.constantFrom(1, 0.9),
      topK: fc.constantFrom(0, 0, 40),
      minP: fc.constantFrom(0, 0, 0.02),
      repetitionPenalty: fc.constantFrom(1, 1, 1.2),
      frequencyPenalty: fc.constantFrom(0, 0, 0.4),
      seed: fc.maxSafeNat(),
      reportLogprobs: fc.constant(true),
      reportPromptLogprobs: fc.boolean(),
      topLogprobs: fc.constantFrom(0, 2),
    }),
    stop: fc.record({ maxTokens: fc.integer({ min: 1, max: maxTokens }), ignoreEos: fc.boolean() }),
  });
}

function prompts(vocabularySize: number, mostTokens: number): fc.Arbitrary<number[]> {
  const shared = Array.from({ length: mostTokens }, (_, at) => (at * at * 7 + 3) % vocabularySize);
  const own = fc.array(fc.nat(vocabularySize - 1), { minLength: 1, maxLength: mostTokens, size: 'max' });
  return fc
    .tuple(fc.oneof(fc.constant(0), fc.nat(mostTokens)), own)
    .map(([sharedTokens, ids]) => [...shared.slice(0, sharedTokens), ...ids].slice(0, mostTokens));
}
