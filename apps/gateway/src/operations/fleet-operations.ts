import { Inject, Injectable } from '@nestjs/common';
import { ChannelSecurity, callUnary, clientChannelOptions, GrpcStatusError, toWireRecords } from '#lib/channels';
import { type HydraConfig, schedulerTargets } from '#lib/config';
import { OperationsClient, type RequestRecord } from '#lib/contracts';
import { LogLevel, type LogLevelChange, Tracing } from '#lib/observability';
import { FleetView } from '../fleet/fleet-view.js';
import { GATEWAY_CONFIG } from '../gateway-config.js';

/** What all apps remember of one request. */
export interface RequestStory {
  readonly records: readonly RequestRecord[];
  /** gRPC targets of apps that did not answer in time. */
  readonly unreachable: readonly string[];
}

export interface LogLevelWish {
  readonly level: string;
  /** `gateway`, `scheduler`, `kvcache`, or the id of a worker; undefined for all. */
  readonly app: string | undefined;
  /** After which it is as before; 0 for never. */
  readonly forMs: number;
}

interface RunningApp {
  readonly name: string;
  readonly target: string;
  readonly service: 'scheduler' | 'worker' | 'kvcache';
}

/** Time that an app has to answer, in milliseconds: what it is asked is in its memory. */
const ANSWER_TIMEOUT_MS = 2_000;

/** What is asked of this gateway, the schedulers, the caches of KV blocks and the workers together. */
@Injectable()
export class FleetOperations {
  constructor(
    @Inject(GATEWAY_CONFIG) private readonly config: HydraConfig,
    private readonly tracing: Tracing,
    private readonly logLevel: LogLevel,
    private readonly security: ChannelSecurity,
    private readonly fleet: FleetView,
  ) {}

  /**
   * @param id        of a request, a generation or a trace
   * @param tenantId  only what belongs to it; undefined for all
   */
  async find(id: string, tenantId = ''): Promise<RequestStory> {
    const own = toWireRecords(this.tracing, 'gateway', id, tenantId);
    const { answers, unreachable } = await this.askAll(this.apps(), async (client) => {
      const method = client.findRecords.bind(client);
      return (await callUnary(method, { id, tenantId }, { timeoutMs: ANSWER_TIMEOUT_MS })).records;
    });
    return { records: [...own, ...answers.flat()], unreachable };
  }

  /** @returns what changed; nothing for an app that is not there */
  async setLogLevel({ level, app, forMs }: LogLevelWish) {
    const own = app === undefined || app === 'gateway' ? [this.logLevel.set(level, forMs)] : [];
    const asked = this.apps().filter(({ name }) => app === undefined || app === name);
    const { answers, unreachable } = await this.askAll(asked, (client) => {
      const method = client.setLogLevel.bind(client);
      return callUnary(method, { level, forMs }, { timeoutMs: ANSWER_TIMEOUT_MS });
    });
    return { changes: [...own, ...answers] as readonly LogLevelChange[], unreachable };
  }

  private apps(): RunningApp[] {
    return [
      ...schedulerTargets(this.config).map((target) => ({ name: 'scheduler', target, service: 'scheduler' as const })),
      ...this.config.kvcache.targets.map((target) => ({ name: 'kvcache', target, service: 'kvcache' as const })),
      ...this.fleet.workers.map(({ workerId, target }) => ({ name: workerId, target, service: 'worker' as const })),
    ];
  }

  private async askAll<T>(apps: readonly RunningApp[], ask: (client: OperationsClient) => Promise<T>) {
    const outcomes = await Promise.all(apps.map((app) => this.ask(app, ask)));
    return {
      answers: outcomes.flatMap((outcome) => (outcome === undefined ? [] : [outcome.answer])),
      unreachable: apps.filter((_, i) => outcomes[i] === undefined).map(({ target }) => target),
    };
  }

  /** @returns undefined when it does not answer */
  private async ask<T>({ target, service }: RunningApp, ask: (client: OperationsClient) => Promise<T>) {
    const client = new OperationsClient(target, this.security.credentialsFor(service), clientChannelOptions());
    try {
      return { answer: await ask(client) };
    } catch (error) {
      if (error instanceof GrpcStatusError) return undefined;
      throw error;
    } finally {
      client.close();
    }
  }
}
