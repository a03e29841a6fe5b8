import type { GenerationRequest, SamplingParams, StopConditions } from '#lib/contracts';

export interface RequestParts extends Partial<Omit<GenerationRequest, 'sampling' | 'stop'>> {
  readonly sampling?: Partial<SamplingParams>;
  readonly stop?: Partial<StopConditions>;
}

let nextId = 0;

/** A greedy request with nothing switched on, under an id of its own; credit enough for everything. */
export function requestOf({ sampling, stop, ...rest }: RequestParts): GenerationRequest {
  const generationId = `generation-${nextId++}`;
  return {
    generationId,
    requestId: `request-of-${generationId}`,
    tenantId: 'anonymous',
    modelId: 'model',
    adapterId: '',
    promptTokenIds: [1],
    acceptedTokenIds: [],
    sequenceCount: 1,
    deadlineUnixMs: 0,
    initialCredit: 10_000,
    priority: 0,
    cacheSalt: Buffer.alloc(0),
    kvSources: [],
    earlierUses: [],
    trace: undefined,
    leaseId: '',
    workerEpoch: 0,
    leaseTerm: 0,
    echoPrompt: false,
    gatherTokens: 0,
    ...rest,
    sampling: {
      temperature: 0,
      topP: 1,
      topK: 0,
      minP: 0,
      repetitionPenalty: 1,
      presencePenalty: 0,
      frequencyPenalty: 0,
      logitBias: {},
      seed: 0,
      topLogprobs: 0,
      reportLogprobs: false,
      reportPromptLogprobs: false,
      ...sampling,
    },
    stop: {
      maxTokens: 8,
      minTokens: 0,
      stopStrings: [],
      stopTokenIds: [],
      ignoreEos: true,
      includeStopString: false,
      ...stop,
    },
  };
}
