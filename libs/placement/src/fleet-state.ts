import type { Registration, ServedModel, StateReport } from '#lib/contracts';
import { FetchTimeModel } from './forecast/fetch-time-model.js';
import { StepTimeModel } from './forecast/step-time-model.js';
import type { StepReport } from './forecast/worker-mirror.js';
import type { Lease, LeaseTable } from './lease-table.js';
import { LostModels } from './lost-models.js';
import { intervalOf, type Member, newMember, noteFetches } from './member.js';
import { type MemberLimits, MemberView } from './member-view.js';
import type { WorkerView } from './worker-view.js';

/** How a registration was taken. Leases of an earlier life of the worker end with it. */
export type RegisterOutcome =
  | { readonly kind: 'joined' }
  | { readonly kind: 'updated' }
  | { readonly kind: 'replaced'; readonly endedLeases: readonly Lease[] }
  | { readonly kind: 'superseded'; readonly byEpoch: number };

/** A worker that left, and the leases that ended with it. */
export interface WorkerDeparture {
  readonly workerId: string;
  readonly workerEpoch: number;
  readonly endedLeases: readonly Lease[];
  /** It had said that it would leave. */
  readonly wasDraining: boolean;
}

export interface FleetMemberState {
  readonly registration: Registration;
  readonly report: StateReport | undefined;
  readonly isDraining: boolean;
  readonly leases: number;
}

export interface FleetStateOptions extends MemberLimits {
  /** Silence after which a worker is taken out, in milliseconds. */
  readonly workerTimeoutMs: number;
}

/** `StateReport.held_generation_ids` is cut here; a longer list says nothing about what is missing. */
const LONGEST_HELD_LIST = 4_096;

/**
 * The workers, as one scheduler knows them: who registered, what they last reported, which leases they hold. A worker is
 * one (id, epoch); of two epochs the larger lives. Ends a worker's leases when it leaves.
 */
export class FleetState {
  private readonly members = new Map<string, Member>();
  /** Of the models that were asked for since a worker came, registered anew or left. */
  private readonly views = new Map<string, readonly MemberView[]>();
  /** Of all workers. */
  private readonly stepTimes = new StepTimeModel();
  private readonly fetchTimes = { worker: new FetchTimeModel(), kvcache: new FetchTimeModel() };
  private readonly lostModels = new LostModels();

  constructor(
    private readonly options: FleetStateOptions,
    private readonly leases: LeaseTable,
  ) {
    leases.whenEnded(({ workerId, generationId }) => this.members.get(workerId)?.mirror.ended(generationId));
  }

  get size(): number {
    return this.members.size;
  }

  register(registration: Registration, nowMs: number): RegisterOutcome {
    const known = this.members.get(registration.workerId);
    const knownEpoch = known?.registration.workerEpoch ?? -1;
    if (registration.workerEpoch < knownEpoch) return { kind: 'superseded', byEpoch: knownEpoch };
    for (const model of registration.models) this.shareKvKind(model);
    const models = new Map(registration.models.map((model) => [model.modelId, model]));
    if (known !== undefined && registration.workerEpoch === knownEpoch) {
      const dropped = [...known.models.keys()].filter((modelId) => !models.has(modelId));
      Object.assign(known, { registration, models, lastHeardMs: nowMs });
      this.views.clear();
      this.noteLost(dropped, nowMs);
      return { kind: 'updated' };
    }
    const departure = known && this.remove(registration.workerId, knownEpoch, nowMs);
    this.members.set(registration.workerId, newMember(registration, models, this.stepTimes, this.fetchTimes, nowMs));
    this.views.clear();
    return departure === undefined ? { kind: 'joined' } : { kind: 'replaced', endedLeases: departure.endedLeases };
  }

  /**
   * Takes a report; an older one than the last, or one of another epoch, is left aside.
   * @returns leases that ended because the worker does not hold their generations
   */
  report(workerId: string, workerEpoch: number, report: StateReport, nowMs: number): readonly Lease[] {
    const member = this.memberOf(workerId, workerEpoch);
    if (member === undefined || report.sequence < (member.report?.sequence ?? 0)) return [];
    const held = report.runningGenerations + report.waitingGenerations;
    // A list comes only with some reports; that nothing is held is said by the counts alone.
    const saysWhatIsHeld = held === 0 || report.heldGenerationIds.length > 0;
    const ended =
      saysWhatIsHeld && report.heldGenerationIds.length < LONGEST_HELD_LIST
        ? this.leases.reconcile(workerId, new Set(report.heldGenerationIds), nowMs)
        : [];
    const load = this.leases.loadOf(workerId);
    member.unleased.note(held, load);
    noteFetches(member, report);
    member.report = report;
    member.reportedAtMs = nowMs;
    member.lastHeardMs = nowMs;
    member.isDraining ||= report.draining;
    member.hasRefused = false;
    member.grantedGenerations = load.grantedGenerations;
    member.grantedPromptTokens = load.grantedPromptTokens;
    if (!member.reportsSteps) member.mirror.reportInterval(intervalOf(report, member), nowMs);
    return ended;
  }

  /** The worker begins a step. */
  reportStep(workerId: string, workerEpoch: number, report: StepReport, nowMs: number): void {
    const member = this.memberOf(workerId, workerEpoch);
    if (member === undefined) return;
    member.reportsSteps = true;
    member.mirror.report(report, nowMs);
  }

  /** The worker is alive, whatever it said. */
  heard(workerId: string, workerEpoch: number, nowMs: number): void {
    const member = this.memberOf(workerId, workerEpoch);
    if (member !== undefined) member.lastHeardMs = nowMs;
  }

  /** It takes nothing new in this epoch. */
  startDraining(workerId: string, workerEpoch: number, nowMs: number): void {
    const member = this.memberOf(workerId, workerEpoch);
    if (member === undefined) return;
    member.isDraining = true;
    member.lastHeardMs = nowMs;
  }

  /** The worker refused a lease of ours: it counts as full until it reports again. */
  noteRefusal(workerId: string, workerEpoch: number): void {
    const member = this.memberOf(workerId, workerEpoch);
    if (member !== undefined) member.hasRefused = true;
  }

  /** @returns undefined when this epoch of the worker is not known (any more) */
  remove(workerId: string, workerEpoch: number, nowMs: number): WorkerDeparture | undefined {
    const member = this.memberOf(workerId, workerEpoch);
    if (member === undefined) return undefined;
    this.members.delete(workerId);
    this.views.clear();
    this.noteLost(member.models.keys(), nowMs);
    return { workerId, workerEpoch, endedLeases: this.leases.endWorker(workerId), wasDraining: member.isDraining };
  }

  /** Takes out the workers that have been silent for too long. */
  expire(nowMs: number): WorkerDeparture[] {
    const departures: WorkerDeparture[] = [];
    for (const [workerId, member] of [...this.members]) {
      if (nowMs - member.lastHeardMs < this.options.workerTimeoutMs) continue;
      const departure = this.remove(workerId, member.registration.workerEpoch, nowMs);
      if (departure !== undefined) departures.push(departure);
    }
    return departures;
  }

  /** Time in which nobody listened is not silence. */
  excuse(awayMs: number, nowMs: number): void {
    for (const member of this.members.values()) member.lastHeardMs = Math.min(nowMs, member.lastHeardMs + awayMs);
  }

  /** When the next worker leaves unless it is heard; undefined when there is none. */
  nextDueMs(): number | undefined {
    let dueMs: number | undefined;
    for (const member of this.members.values()) {
      dueMs = Math.min(dueMs ?? Number.POSITIVE_INFINITY, member.lastHeardMs + this.options.workerTimeoutMs);
    }
    return dueMs;
  }

  /** The workers of a model, sorted by id, as they are at a moment: later ones are seen in the same views. */
  workersOf(modelId: string, nowMs: number): readonly WorkerView[] {
    const views = this.views.get(modelId) ?? this.viewsOf(modelId);
    for (const view of views) view.catchUp(nowMs);
    return views;
  }

  /** Targets of the schedulers that workers say they are joined with. */
  schedulers(): Set<string> {
    const targets = new Set<string>();
    for (const { report } of this.members.values()) for (const target of report?.schedulers ?? []) targets.add(target);
    return targets;
  }

  /** Models that some worker serves. */
  servedModelIds(): Set<string> {
    return new Set([...this.members.values()].flatMap(({ models }) => [...models.keys()]));
  }

  serves(modelId: string): boolean {
    return [...this.members.values()].some((member) => member.models.has(modelId));
  }

  /** Whether a worker could take a request of some model, had it room. */
  canServe(): boolean {
    return [...this.members.values()].some((member) => !member.isDraining && member.models.size > 0);
  }

  /** Whether the model has, or had until at most `withinMs` ago, a worker. */
  servedWithin(modelId: string, withinMs: number, nowMs: number): boolean {
    return this.serves(modelId) || this.lostModels.lostWithin(modelId, withinMs, nowMs);
  }

  snapshot(): FleetMemberState[] {
    return [...this.members.values()].map((member) => ({
      registration: member.registration,
      report: member.report,
      isDraining: member.isDraining,
      leases: this.leases.loadOf(member.registration.workerId).generations,
    }));
  }

  /** Where another worker says the same layout and weights, it says so with the same objects: decisions then compare addresses. */
  private shareKvKind(model: ServedModel): void {
    for (const { models } of this.members.values()) {
      for (const { kvLayout, modelFingerprint } of models.values()) {
        if (Buffer.compare(kvLayout, model.kvLayout) === 0) model.kvLayout = kvLayout;
        if (modelFingerprint === model.modelFingerprint) model.modelFingerprint = modelFingerprint;
      }
    }
  }

  private viewsOf(modelId: string): readonly MemberView[] {
    const views: MemberView[] = [];
    const members = [...this.members].sort(([one], [other]) => (one < other ? -1 : 1));
    for (const [, member] of members) {
      const model = member.models.get(modelId);
      if (model !== undefined) views.push(new MemberView(views.length, member, model, this.leases, this.options));
    }
    if (views.length > 0) this.views.set(modelId, views); // there is no end of models that nobody serves
    return views;
  }

  private memberOf(workerId: string, workerEpoch: number): Member | undefined {
    const member = this.members.get(workerId);
    return member?.registration.workerEpoch === workerEpoch ? member : undefined;
  }

  private noteLost(modelIds: Iterable<string>, nowMs: number): void {
    for (const modelId of modelIds) if (!this.serves(modelId)) this.lostModels.note(modelId, nowMs);
  }
}
