import { Injectable } from '@nestjs/common';
import type { LeaseRelease } from '#lib/contracts';
import { NO_EXEMPLAR, Tracing } from '#lib/observability';
import type { LeaseOutcome } from '#lib/placement';
import { PlacementDesk } from './placement-desk.js';

/** Outcomes of a lease that say that its worker did not take the generation. */
const NOT_HONOURED: ReadonlySet<string> = new Set(['refused', 'worker-lost']);

/** Ends leases, whichever way gateways say it, with what they tell of the generations. */
@Injectable()
export class LeaseReleases {
  constructor(
    private readonly desk: PlacementDesk,
    private readonly tracing: Tracing,
  ) {}

  take(releases: readonly LeaseRelease[]): void {
    for (const { leaseId, ttftUs, keepTrace } of releases) {
      const record = this.tracing.recorder.named(leaseId);
      if (ttftUs > 0) this.desk.noteFirstToken(leaseId, ttftUs / 1_000, record?.exemplar ?? NO_EXEMPLAR);
      if (keepTrace) record?.fail();
    }
    const notHonoured = releases.filter(({ outcome }) => NOT_HONOURED.has(outcome));
    const ended = releases.filter(({ outcome }) => !NOT_HONOURED.has(outcome));
    this.desk.release(
      ended.map(toLeaseOutcome),
      notHonoured.map(({ leaseId }) => leaseId),
    );
  }
}

function toLeaseOutcome({ leaseId, usage, ttftUs }: LeaseRelease): LeaseOutcome {
  const used = usage && {
    computedPromptTokens: Math.max(0, usage.promptTokens - usage.cachedPromptTokens),
    outputTokens: usage.completionTokens,
  };
  return { leaseId, used, ttftMs: ttftUs / 1_000 };
}
