import { mkdirSync, mkdtempSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '../../support/eventually.js';
import { fleetMembers } from '../../support/fleet.js';
import { freePorts } from '../../support/free-port.js';
import { type AppKind, AppProcess } from './app-process.js';
import { ServiceName } from './service-name.js';

/** A bound for a stuck start or end, not a claim. */
const LONGEST_STEP_MS = 120_000;

export interface FleetOptions {
  /** Contents of `hydra.yaml`. */
  readonly yaml: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Model id of each worker process. */
  readonly workerModels: readonly string[];
  /** One by default. */
  readonly schedulers?: number;
  /** Schedulers stand behind names, as on Kubernetes: a successor starts before one ends. */
  readonly schedulersHaveNames?: boolean;
  /** Caches of KV blocks; none by default. */
  readonly kvcaches?: number;
}

/** Schedulers, workers, caches of KV blocks and two gateways as an operator runs them on machines of his own: each can be restarted alone. */
export class FleetOfProcesses {
  readonly folder = mkdtempSync(join(tmpdir(), 'hydra-rollout-'));
  readonly configFile = join(this.folder, 'hydra.yaml');
  readonly schedulers: readonly AppProcess[];
  readonly kvcaches: readonly AppProcess[];
  readonly workers: readonly AppProcess[];
  readonly gateways: readonly AppProcess[];

  private constructor(
    options: FleetOptions,
    schedulerPorts: readonly number[],
    private readonly names: readonly ServiceName[],
  ) {
    this.writeConfig(options.yaml);
    const logs = join(this.folder, 'logs');
    mkdirSync(logs);
    const schedulerTargets = schedulerPorts.map((port, i) => names[i]?.target ?? `127.0.0.1:${port}`);
    const common = {
      HYDRA_CONFIG: this.configFile,
      HYDRA_LOG_LEVEL: 'debug',
      HYDRA_SCHEDULER_TARGET: schedulerTargets[0],
      HYDRA_SCHEDULER_TARGETS: schedulerTargets.join(),
      ...options.env,
    };
    const kvcacheTargets = () => this.kvcaches.map(({ grpcTarget }) => grpcTarget).join();
    const app = (
      name: string,
      kind: AppKind,
      variables: [string, string],
      env: object = {},
      service: ServiceName | undefined = undefined,
    ) =>
      new AppProcess({
        ...{ name, app: kind, portVariables: variables, logs, service },
        // The ports of caches are known when those start that need them.
        env: () => ({ ...common, ...(kind === 'kvcache' ? {} : { HYDRA_KVCACHE_TARGETS: kvcacheTargets() }), ...env }),
      });
    this.schedulers = schedulerTargets.map((target, i) =>
      app(
        schedulerTargets.length === 1 ? 'scheduler' : `scheduler-${i}`,
        'scheduler',
        ['HYDRA_SCHEDULER_GRPC_PORT', 'HYDRA_SCHEDULER_HTTP_PORT'],
        { HYDRA_SCHEDULER_TARGET: target },
        names[i],
      ).at(schedulerPorts[i]!),
    );
    this.kvcaches = Array.from({ length: options.kvcaches ?? 0 }, (_, i) =>
      app(`kvcache-${i}`, 'kvcache', ['HYDRA_KVCACHE_GRPC_PORT', 'HYDRA_KVCACHE_HTTP_PORT'], {
        HYDRA_KVCACHE_NAME: `kvcache-${i}`,
      }),
    );
    this.workers = options.workerModels.map((model, i) =>
      app(`worker-${i}`, 'inference', ['HYDRA_WORKER_GRPC_PORT', 'HYDRA_WORKER_HTTP_PORT'], {
        HYDRA_WORKER_ID: `worker-${i}`,
        HYDRA_WORKER_MODEL: model,
      }),
    );
    this.gateways = ['gateway-a', 'gateway-b'].map((name) =>
      app(name, 'gateway', ['HYDRA_GRPC_PORT', 'HYDRA_HTTP_PORT']),
    );
  }

  /** Starts all of them; resolves when each knows the others. Schedulers know each other's ports before they start. */
  static async start(options: FleetOptions): Promise<FleetOfProcesses> {
    const { schedulers = 1, schedulersHaveNames = false } = options;
    const names = await Promise.all(Array.from({ length: schedulersHaveNames ? schedulers : 0 }, ServiceName.create));
    const fleet = new FleetOfProcesses(options, await freePorts(schedulers), names);
    await fleet.startAll();
    return fleet;
  }

  get all(): readonly AppProcess[] {
    return [...this.schedulers, ...this.kvcaches, ...this.workers, ...this.gateways];
  }

  /** As editors write: a new file takes the place of the old one. */
  writeConfig(yaml: string, file = this.configFile): void {
    writeFileSync(`${file}.new`, yaml);
    renameSync(`${file}.new`, file);
  }

  /**
   * SIGTERM, its end, a new process, and the fleet whole again; behind a name, the new process comes first.
   * @returns how long it took, in milliseconds
   */
  async restart(app: AppProcess): Promise<number> {
    const startedMs = performance.now();
    const code = await (app.isNamed ? app.succeed() : app.stop());
    if (code !== 0) throw new Error(`${app.name} ended with code ${code}`);
    if (!app.isNamed) await app.start();
    await this.untilWhole();
    return performance.now() - startedMs;
  }

  async stop(): Promise<void> {
    await Promise.all(this.gateways.map((gateway) => gateway.stop()));
    await Promise.all(this.workers.map((worker) => worker.stop()));
    await Promise.all([...this.schedulers, ...this.kvcaches].map((app) => app.stop()));
    for (const name of this.names) name.close();
  }

  /** The end of every app's log, for a failure's message. */
  logsOf(name: string): string {
    return readFileSync(join(this.folder, 'logs', `${name}.log`), 'utf8');
  }

  private async startAll(): Promise<void> {
    for (const apps of [[...this.schedulers, ...this.kvcaches], this.workers, this.gateways]) {
      await Promise.all(apps.map((app) => app.start()));
    }
    await this.untilWhole();
  }

  /** Every app is ready, and every scheduler knows every worker. */
  private async untilWhole(): Promise<void> {
    await eventually(async () => {
      for (const { grpcTarget } of this.schedulers) {
        const members = await fleetMembers(grpcTarget).catch(() => []);
        if (members.length < this.workers.length) return undefined;
      }
      const ready = await Promise.all(this.all.map((one) => one.isReady()));
      return ready.every(Boolean) || undefined;
    }, LONGEST_STEP_MS);
  }
}
