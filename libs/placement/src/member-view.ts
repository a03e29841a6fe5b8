import type { Registration, ServedModel, StateReport } from '#lib/contracts';
import { sequenceLimitOf, stepTokensOf, tokenLimitOf } from './capacity.js';
import type { WorkerMirror } from './forecast/worker-mirror.js';
import type { LeaseLoad, LeaseTable } from './lease-table.js';
import { type Member, queuedPrefillTokens, unleasedKvTokens } from './member.js';
import { type PrefillOrder, prefillOrderOf } from './prefill-order.js';
import type { WorkerView } from './worker-view.js';

export interface MemberLimits {
  /** Sequences that may wait in a worker beyond its batch before it counts as full. */
  readonly waitingPerWorker: number;
  /** Steps' worth of tokens on a worker beyond which it counts as full; infinite to bind requests as they come. */
  readonly stepsPerWorker: number;
}

/**
 * A member as strategies see it, for one model. It tells what is known at the moment it is asked, so it stays until a worker comes, registers
 * anew or leaves: decisions look at all workers, and hardly anything about them changes in between.
 */
export class MemberView implements WorkerView {
  readonly workerId: string;
  readonly workerEpoch: number;
  readonly registration: Registration;
  readonly sequenceLimit: number;
  readonly tokenLimit: number;
  readonly prefillOrder: PrefillOrder;
  readonly mirror: WorkerMirror;
  private readonly stepTokens: number;
  private readonly leased: LeaseLoad;

  constructor(
    readonly place: number,
    private readonly member: Member,
    readonly model: ServedModel,
    leases: LeaseTable,
    limits: MemberLimits,
  ) {
    const { registration, mirror } = member;
    this.workerId = registration.workerId;
    this.workerEpoch = registration.workerEpoch;
    this.registration = registration;
    this.sequenceLimit = sequenceLimitOf(model, limits.waitingPerWorker);
    this.tokenLimit = tokenLimitOf(model, limits.stepsPerWorker);
    this.prefillOrder = prefillOrderOf(model);
    this.mirror = mirror;
    this.stepTokens = stepTokensOf(model);
    this.leased = leases.loadOf(this.workerId);
  }

  /** What it must have done since its last report, where it does not report each step. */
  catchUp(nowMs: number): void {
    if (!this.member.reportsSteps) this.mirror.catchUp(nowMs, this.stepTokens, this.prefillOrder);
  }

  get isDraining(): boolean {
    return this.member.isDraining;
  }

  get hasRefused(): boolean {
    return this.member.hasRefused;
  }

  get load(): number {
    return this.leased.generations + this.member.unleased.count;
  }

  get sequences(): number {
    return this.leased.sequences + this.member.unleased.count;
  }

  get queuedPrefillTokens(): number {
    return this.tokenLimit === Number.POSITIVE_INFINITY ? 0 : queuedPrefillTokens(this.member);
  }

  get leasedPromptTokens(): number {
    return this.leased.promptTokens;
  }

  get leasedKvTokens(): number {
    return this.leased.kvTokens;
  }

  get unleasedKvTokens(): number {
    return unleasedKvTokens(this.member, this.model);
  }

  get generationsSinceReport(): number {
    return this.leased.grantedGenerations - this.member.grantedGenerations;
  }

  get promptTokensSinceReport(): number {
    return this.leased.grantedPromptTokens - this.member.grantedPromptTokens;
  }

  get report(): StateReport | undefined {
    return this.member.report;
  }

  get reportedAtMs(): number {
    return this.member.reportedAtMs;
  }
}
