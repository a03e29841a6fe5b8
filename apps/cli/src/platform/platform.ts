import { get as httpGet, type IncomingMessage } from 'node:http';
import { get as httpsGet } from 'node:https';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { type HydraConfig, PROCESS_SETTINGS } from '#lib/config';
import { gatewayScheme } from '../client/gateway-url.js';
import { ChildApp, type ChildAppOptions } from './child-app.js';
import { placedModels } from './placed-models.js';
import { freePorts, isPortFree } from './port-free.js';
import type { ScrapeTarget } from './run-state.js';

/** Time beyond the drain time after which a child that does not end is killed, in milliseconds. */
const KILL_MARGIN_MS = 3_000;

export interface PlatformEvents {
  readonly onLine: (name: string, line: string) => void;
  /** An app listens, for the first time or again: `scrapeTargets` may have changed. */
  readonly onListening: (platform: Platform) => void;
  /** An app cannot be started; the platform should be stopped. */
  readonly onGivenUp: (name: string, reason: string) => void;
}

export interface PlatformAddresses {
  readonly gatewayUrl: string;
  /** Absent where it is switched off. */
  readonly consoleUrl?: string;
  readonly grpcTarget: string;
  readonly schedulerTarget: string;
  /** With the address of health and metrics. */
  readonly kvcaches: readonly { readonly name: string; readonly url: string }[];
  /** Whether nobody is let in without a credential. */
  readonly needsKey: boolean;
}

/** A port that the configuration asks for is taken. */
export class PortTakenError extends Error {
  override readonly name = 'PortTakenError';
}

/** The whole platform on this machine: schedulers, caches of KV blocks, the workers of every model, a gateway, each a process of its own. */
export class Platform {
  private readonly gateway: ChildApp;
  private readonly workers: ChildApp[];
  private readonly schedulers: readonly ChildApp[];
  private readonly kvcaches: readonly ChildApp[];

  /**
   * Each app takes any port that is free and says which, so that nobody else can take it in between; started again, it asks
   * for the one it had.
   * @param schedulerPorts  of several schedulers, which have to know each other's before they start; empty for one
   */
  private constructor(
    private readonly config: HydraConfig,
    logFormat: HydraConfig['log']['format'],
    events: PlatformEvents,
    private readonly schedulerPorts: readonly number[],
  ) {
    const child = (name: string, app: keyof typeof PROCESS_SETTINGS, env: () => Record<string, string>): ChildApp =>
      new ChildApp({
        name,
        entry: entryOf(app),
        flags: PROCESS_SETTINGS[app].flags,
        defaults: PROCESS_SETTINGS[app].env,
        env: () => ({ HYDRA_LOG_FORMAT: logFormat, ...env() }),
        onLine: events.onLine,
        onListening: () => events.onListening(this),
        onGivenUp: events.onGivenUp,
      } satisfies ChildAppOptions);

    const schedulerNames =
      schedulerPorts.length === 0 ? ['scheduler'] : schedulerPorts.map((_, index) => `scheduler-${index}`);
    this.schedulers = schedulerNames.map((name, index) =>
      child(name, 'scheduler', () => {
        const { ports } = this.schedulers[index]!; // itself
        return {
          HYDRA_SCHEDULER_GRPC_PORT: String(schedulerPorts[index] ?? ports?.grpcPort ?? 0),
          HYDRA_SCHEDULER_HTTP_PORT: String(ports?.httpPort ?? 0),
          HYDRA_SCHEDULER_TARGET: this.schedulerTargets[index]!, // as many as schedulers
          HYDRA_SCHEDULER_TARGETS: this.schedulerTargets.join(),
        };
      }),
    );
    const schedulers = () => ({
      HYDRA_SCHEDULER_TARGET: this.schedulerTargets[0]!, // there is one
      HYDRA_SCHEDULER_TARGETS: this.schedulerTargets.join(),
    });
    const { count: kvcacheCount } = config.kvcache;
    this.kvcaches = Array.from({ length: kvcacheCount }, (_, index) => {
      const name = kvcacheCount === 1 ? 'kvcache' : `kvcache-${index}`;
      return child(name, 'kvcache', () => {
        const { ports } = this.kvcaches[index]!; // itself
        return {
          ...schedulers(),
          HYDRA_KVCACHE_NAME: name,
          HYDRA_KVCACHE_GRPC_PORT: String(ports?.grpcPort ?? 0),
          HYDRA_KVCACHE_HTTP_PORT: String(ports?.httpPort ?? 0),
        };
      });
    });
    const kvcaches = (): Record<string, string> =>
      kvcacheCount === 0 ? {} : { HYDRA_KVCACHE_TARGETS: this.kvcacheTargets.join() };
    const placed = placedModels(config);
    const threads = config.workers.threads ?? Math.max(1, Math.floor(availableParallelism() / placed.length));
    this.workers = placed.map((model, i) =>
      child(`worker-${i}`, 'inference', () => ({
        ...schedulers(),
        ...kvcaches(),
        HYDRA_WORKER_ID: `worker-${i}`,
        HYDRA_WORKER_MODEL: model.id,
        HYDRA_WORKER_GRPC_PORT: '0',
        HYDRA_WORKER_HTTP_PORT: '0',
        HYDRA_THREADS: String(threads),
        HYDRA_PREFILL_WEIGHTS: model.prefillWeights, // what was compiled
      })),
    );
    const { httpPort, grpcPort } = config.gateway;
    this.gateway = child('gateway', 'gateway', () => ({
      HYDRA_GATEWAY_SHUTDOWN_DELAY_MS: '0', // nobody chooses between several here
      ...schedulers(),
      ...kvcaches(),
      HYDRA_HTTP_PORT: String(this.gateway.ports?.httpPort ?? httpPort),
      HYDRA_GRPC_PORT: String(this.gateway.ports?.grpcPort ?? grpcPort),
    }));
  }

  /** @throws PortTakenError when one that the configuration asks for is in use */
  static async prepare(
    config: HydraConfig,
    logFormat: HydraConfig['log']['format'],
    events: PlatformEvents,
    schedulerCount: number,
  ): Promise<Platform> {
    const { host, httpPort, grpcPort } = config.gateway;
    for (const [port, variable] of [
      [httpPort, 'HYDRA_HTTP_PORT'],
      [grpcPort, 'HYDRA_GRPC_PORT'],
    ] as const) {
      if (port !== 0 && !(await isPortFree(host, port))) {
        throw new PortTakenError(
          `port ${port} on ${host} is in use; set ${variable} to another, or end the process that has it`,
        );
      }
    }
    const ports = schedulerCount === 1 ? [] : await freePorts(config.scheduler.host, schedulerCount);
    return new Platform(config, logFormat, events, ports);
  }

  /** Starts everything and waits until a model can answer. Rejects when an app is given up or `signal` aborts. */
  async start(signal: AbortSignal): Promise<PlatformAddresses> {
    await Promise.all(this.schedulers.map((app) => app.start())); // the others are told where they listen
    await Promise.all(this.kvcaches.map((app) => app.start())); // and these, too
    signal.throwIfAborted();
    const workers = this.workers.map((worker) => worker.start());
    const ports = await this.gateway.start();
    const { host, console } = this.config.gateway;
    const gatewayUrl = `${gatewayScheme(this.config.gateway)}://${host}:${ports.httpPort}`;
    const addresses = {
      gatewayUrl,
      ...(console === 'on' ? { consoleUrl: `${gatewayUrl}/` } : {}),
      grpcTarget: `${host}:${ports.grpcPort}`,
      schedulerTarget: this.schedulerTargets[0]!, // there is one
      kvcaches: this.kvcaches.map(({ name, ports }) => ({
        name,
        url: `http://${this.config.kvcache.host}:${ports?.httpPort}`,
      })),
      needsKey: this.config.auth.mode === 'required',
    };
    await Promise.all(workers);
    await untilReady(addresses.gatewayUrl, signal);
    return addresses;
  }

  /** Stops from the door inwards, so that what runs can finish. */
  async stop(): Promise<void> {
    const killAfterMs = this.config.workers.drainTimeoutMs + KILL_MARGIN_MS;
    await this.gateway.stop(killAfterMs);
    await Promise.all(this.workers.map((worker) => worker.stop(killAfterMs)));
    await Promise.all([...this.schedulers, ...this.kvcaches].map((app) => app.stop(killAfterMs)));
  }

  /** Ends everything at once. */
  kill(): void {
    for (const app of this.apps) app.kill();
  }

  /** Where Prometheus finds the apps that listen, in the form of its `file_sd_configs`. */
  get scrapeTargets(): ScrapeTarget[] {
    const { gateway, scheduler, kvcache, workers } = this.config;
    const targetOf = (host: string, __scheme__: string) => (app: ChildApp) =>
      app.ports === undefined
        ? []
        : [{ targets: [`${host}:${app.ports.httpPort}`], labels: { app: app.name, __scheme__ } }];
    return [
      ...[this.gateway].flatMap(targetOf(gateway.host, gatewayScheme(gateway))),
      ...this.schedulers.flatMap(targetOf(scheduler.host, 'http')),
      ...this.kvcaches.flatMap(targetOf(kvcache.host, 'http')),
      ...this.workers.flatMap(targetOf(workers.host, 'http')),
    ];
  }

  private get schedulerTargets(): string[] {
    const { host } = this.config.scheduler;
    return this.schedulers.map(({ ports }, index) => `${host}:${this.schedulerPorts[index] ?? ports?.grpcPort ?? 0}`);
  }

  private get kvcacheTargets(): string[] {
    return this.kvcaches.map(({ ports }) => `${this.config.kvcache.host}:${ports?.grpcPort ?? 0}`);
  }

  private get apps(): ChildApp[] {
    return [...this.schedulers, ...this.kvcaches, ...this.workers, this.gateway];
  }
}

/** Resolves once the gateway says that a model can answer. */
async function untilReady(gatewayUrl: string, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    if (await isReady(`${gatewayUrl}/health/ready`, signal)) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  signal.throwIfAborted();
}

/** The gateway is a child of ours, so who it is needs no proof; its certificate may be for other names than its address. */
function isReady(url: string, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const done = (response: IncomingMessage) => resolve(response.resume().statusCode === 200);
    const request = url.startsWith('https:')
      ? httpsGet(url, { signal, rejectUnauthorized: false, agent: false }, done)
      : httpGet(url, { signal, agent: false }, done);
    request.on('error', () => resolve(false));
  });
}

function entryOf(app: string): string {
  return fileURLToPath(new URL(`../../../${app}/src/main.js`, import.meta.url));
}
