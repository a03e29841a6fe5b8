import { Injectable } from '@nestjs/common';

/**
 * The latest terms that schedulers gave, by model. When another scheduler takes over a model, leases of the one before are not
 * honoured any more: of two that both believe they place it, one counts.
 */
@Injectable()
export class LeaseTerms {
  private readonly latest = new Map<string, number>();

  /** A scheduler has begun to place the model, or gave a lease. */
  note(modelId: string, term: number): void {
    if (term > (this.latest.get(modelId) ?? 0)) this.latest.set(modelId, term);
  }

  /** Whether a later reign over the model is known. Term 0 is of no reign: no lease, or the only scheduler. */
  isPast(modelId: string, term: number): boolean {
    return term !== 0 && term < (this.latest.get(modelId) ?? 0);
  }

  all(): Record<string, number> {
    return Object.fromEntries(this.latest);
  }
}
