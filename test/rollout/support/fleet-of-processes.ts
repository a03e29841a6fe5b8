import { mkdirSync, mkdtempSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '../../support/eventually.js';
import { fleetMembers } from '../../support/fleet.js';
import { AppProcess } from './app-process.js';

/** A bound for a stuck start or end, not a claim. */
const LONGEST_STEP_MS = 120_000;

export interface FleetOptions {
  /** Contents of `hydra.yaml`. */
  readonly yaml: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Model id of each worker process. */
  readonly workerModels: readonly string[];
}

/** A scheduler, workers and two gateways as an operator runs them on machines of his own: each can be restarted alone. */
export class FleetOfProcesses {
  readonly folder = mkdtempSync(join(tmpdir(), 'hydra-rollout-'));
  readonly configFile = join(this.folder, 'hydra.yaml');
  readonly scheduler: AppProcess;
  readonly workers: readonly AppProcess[];
  readonly gateways: readonly AppProcess[];

  constructor(options: FleetOptions) {
    this.writeConfig(options.yaml);
    const logs = join(this.folder, 'logs');
    mkdirSync(logs);
    const common = { HYDRA_CONFIG: this.configFile, HYDRA_LOG_LEVEL: 'debug', ...options.env };
    const app = (name: string, kind: 'gateway' | 'scheduler' | 'inference', variables: [string, string], env: object) =>
      new AppProcess({ name, app: kind, portVariables: variables, logs, env: withTarget({ ...common, ...env }) });
    const target = () => this.scheduler.grpcTarget;
    /** The scheduler's port is known when the others start. */
    const withTarget = (env: Record<string, string>) =>
      Object.defineProperty(env, 'HYDRA_SCHEDULER_TARGET', { enumerable: true, get: target });
    this.scheduler = app('scheduler', 'scheduler', ['HYDRA_SCHEDULER_GRPC_PORT', 'HYDRA_SCHEDULER_HTTP_PORT'], {});
    this.workers = options.workerModels.map((model, i) =>
      app(`worker-${i}`, 'inference', ['HYDRA_WORKER_GRPC_PORT', 'HYDRA_WORKER_HTTP_PORT'], {
        HYDRA_WORKER_ID: `worker-${i}`,
        HYDRA_WORKER_MODEL: model,
      }),
    );
    this.gateways = ['gateway-a', 'gateway-b'].map((name) =>
      app(name, 'gateway', ['HYDRA_GRPC_PORT', 'HYDRA_HTTP_PORT'], {}),
    );
  }

  get all(): readonly AppProcess[] {
    return [this.scheduler, ...this.workers, ...this.gateways];
  }

  /** As editors write: a new file takes the place of the old one. */
  writeConfig(yaml: string, file = this.configFile): void {
    writeFileSync(`${file}.new`, yaml);
    renameSync(`${file}.new`, file);
  }

  async start(): Promise<this> {
    await this.scheduler.start();
    await Promise.all(this.workers.map((worker) => worker.start()));
    await Promise.all(this.gateways.map((gateway) => gateway.start()));
    await this.untilWhole();
    return this;
  }

  /** SIGTERM, its end, a new process, and the fleet whole again. @returns how long it took, in milliseconds */
  async restart(app: AppProcess): Promise<number> {
    const startedMs = performance.now();
    const code = await app.stop();
    if (code !== 0) throw new Error(`${app.name} ended with code ${code}`);
    await app.start();
    await this.untilWhole();
    return performance.now() - startedMs;
  }

  async stop(): Promise<void> {
    await Promise.all(this.gateways.map((gateway) => gateway.stop()));
    await Promise.all(this.workers.map((worker) => worker.stop()));
    await this.scheduler.stop();
  }

  /** The end of every app's log, for a failure's message. */
  logsOf(name: string): string {
    return readFileSync(join(this.folder, 'logs', `${name}.log`), 'utf8');
  }

  /** Every app is ready, and the scheduler knows every worker. */
  private async untilWhole(): Promise<void> {
    await eventually(async () => {
      const members = await fleetMembers(this.scheduler.grpcTarget).catch(() => []);
      if (members.length < this.workers.length) return undefined;
      const ready = await Promise.all(this.all.map((one) => one.isReady()));
      return ready.every(Boolean) || undefined;
    }, LONGEST_STEP_MS);
  }
}
