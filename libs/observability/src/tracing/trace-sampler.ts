import { ROOT_CONTEXT, SamplingDecision } from '@opentelemetry/api';
import { TraceIdRatioBasedSampler } from '@opentelemetry/sdk-trace';
import type { TraceOptions } from './trace-options.js';

/** Decides for a trace that begins here, or comes with its caller's flag, whether all of it is recorded and sent. */
export class TraceSampler {
  private readonly followsParent: boolean;
  private readonly decide: (traceId: string) => boolean;

  constructor({ sampler, sampleRatio }: Pick<TraceOptions, 'sampler' | 'sampleRatio'>) {
    this.followsParent = sampler.startsWith('parentbased_');
    this.decide = decisionOf(sampler.replace('parentbased_', '') as RootSampler, sampleRatio);
  }

  /** @param parentFlag  whether the caller samples the trace; undefined without a caller's trace */
  isSampled(traceId: string, parentFlag: boolean | undefined): boolean {
    return this.followsParent && parentFlag !== undefined ? parentFlag : this.decide(traceId);
  }
}

type RootSampler = 'always_on' | 'always_off' | 'traceidratio';

function decisionOf(sampler: RootSampler, ratio: number): (traceId: string) => boolean {
  switch (sampler) {
    case 'always_on':
      return () => true;
    case 'always_off':
      return () => false;
    case 'traceidratio': {
      const byRatio = new TraceIdRatioBasedSampler(ratio);
      return (traceId) => byRatio.shouldSample(ROOT_CONTEXT, traceId).decision === SamplingDecision.RECORD_AND_SAMPLED;
    }
    default:
      return sampler satisfies never;
  }
}
