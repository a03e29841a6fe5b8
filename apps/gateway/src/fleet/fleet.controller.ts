import { Controller, Get, Inject } from '@nestjs/common';
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import { productVersion, type ServedModel } from '#lib/contracts';
import { AdmissionGate } from '../completion/admission-gate.js';
import { GATEWAY_ID } from '../gateway-config.js';
import { GatewayMetrics } from '../observation/gateway-metrics.js';
import { FleetModelResource, FleetResource, SchedulerResource, WorkerResource } from './fleet-resource.js';
import { FleetView, type WorkerView } from './fleet-view.js';

/** However many ask, the answer is made so often at most, in milliseconds. */
const KEPT_MS = 500;

/** The fleet for people who look at it: what schedulers tell of it, and what `/metrics` of this gateway counts. */
@ApiTags('operation')
@Controller('v1/fleet')
export class FleetController {
  private kept: { readonly answer: Promise<FleetResource>; readonly untilMs: number } | undefined;

  constructor(
    private readonly fleet: FleetView,
    private readonly metrics: GatewayMetrics,
    private readonly gate: AdmissionGate,
    @Inject(GATEWAY_ID) private readonly gatewayId: string,
  ) {}

  @Get()
  @ApiOperation({
    operationId: 'getFleet',
    summary: 'Workers, models, queues and latencies now; with the scope `metrics`.',
    description:
      'Counts grow from the start of what counts them: the difference of two answers is what was between them.',
  })
  @ApiResponse({ status: 200, description: 'The fleet.', type: FleetResource })
  read(): Promise<FleetResource> {
    const nowMs = performance.now();
    if (this.kept === undefined || nowMs >= this.kept.untilMs) {
      this.kept = { answer: this.observe(), untilMs: nowMs + KEPT_MS };
    }
    return this.kept.answer;
  }

  private async observe(): Promise<FleetResource> {
    const { workers, schedulers } = this.fleet;
    const counts = await this.metrics.countsOfModels();
    return new FleetResource({
      observed_at_ms: Date.now(),
      gateway: this.gatewayId,
      version: productVersion(),
      in_flight: this.gate.inFlight,
      schedulers: schedulers.map(
        ({ target, isLive, waitingGenerations }) => new SchedulerResource(target, isLive, waitingGenerations),
      ),
      workers: workers.toSorted(byId).map((worker) => new WorkerResource(worker, this.fleet.isConnected(worker))),
      models: [...this.servedModels().values()].map(
        ({ served, workerCount }) => new FleetModelResource(served, workerCount, counts(served.modelId)),
      ),
    });
  }

  private servedModels(): ReadonlyMap<string, { readonly served: ServedModel; readonly workerCount: number }> {
    const byId = new Map<string, { served: ServedModel; workerCount: number }>();
    for (const { member } of this.fleet.workers) {
      for (const served of member.registration?.models ?? []) {
        const workerCount = (byId.get(served.modelId)?.workerCount ?? 0) + 1;
        byId.set(served.modelId, { served, workerCount });
      }
    }
    return byId;
  }
}

function byId(a: WorkerView, b: WorkerView): number {
  return a.workerId < b.workerId ? -1 : 1;
}
