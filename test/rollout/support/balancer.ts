import { request } from 'node:http';
import type { AppProcess } from './app-process.js';

/** Time between two looks at a backend's readiness, in milliseconds. */
const CHECK_INTERVAL_MS = 100;
const CHECK_TIMEOUT_MS = 5_000;

/** What a load balancer does that honours readiness: takes turns over the gateways that say they are ready. It repeats nothing. */
export class Balancer {
  private readonly ready = new Set<AppProcess>();
  private readonly timers: NodeJS.Timeout[];
  private turn = 0;

  constructor(private readonly gateways: readonly AppProcess[]) {
    this.timers = gateways.map((gateway) => setInterval(() => void this.check(gateway), CHECK_INTERVAL_MS));
  }

  /** @throws when no gateway is ready: an outage that the load is to see */
  next(): AppProcess {
    const ready = this.gateways.filter((gateway) => this.ready.has(gateway));
    const gateway = ready[this.turn++ % Math.max(1, ready.length)];
    if (gateway === undefined) throw new Error('no gateway is ready');
    return gateway;
  }

  isReady(gateway: AppProcess): boolean {
    return this.ready.has(gateway);
  }

  async start(): Promise<this> {
    await Promise.all(this.gateways.map((gateway) => this.check(gateway)));
    return this;
  }

  stop(): void {
    for (const timer of this.timers) clearInterval(timer);
  }

  private async check(gateway: AppProcess): Promise<void> {
    if (await answers(`${gateway.url}/health/ready`)) this.ready.add(gateway);
    else this.ready.delete(gateway);
  }
}

/** Over a connection of its own, as balancers ask. */
function answers(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    const asked = request(url, { agent: false, timeout: CHECK_TIMEOUT_MS }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    asked.on('timeout', () => asked.destroy());
    asked.on('error', () => resolve(false));
    asked.end();
  });
}
