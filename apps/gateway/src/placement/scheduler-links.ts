import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { ChannelSecurity, clientChannelOptions } from '#lib/channels';
import { type HydraConfig, schedulerTargets } from '#lib/config';
import { PlacementClient } from '#lib/contracts';
import { APP_LOGGER, type Logger } from '#lib/observability';
import { schedulersInOrder } from '#lib/placement';
import { GATEWAY_CONFIG } from '../gateway-config.js';
import { LeaseBook } from './lease-book.js';
import { PlaceStream } from './place-stream.js';

/** What a gateway has with one scheduler. */
export interface SchedulerLink {
  readonly target: string;
  /** Asks for places. */
  readonly places: PlaceStream;
  /** Leases that it gave. */
  readonly leases: LeaseBook;
}

/** The channels to all schedulers. */
@Injectable()
export class SchedulerLinks implements OnApplicationShutdown {
  private readonly links: ReadonlyMap<string, SchedulerLink>;
  private readonly clients: PlacementClient[] = [];

  constructor(
    @Inject(GATEWAY_CONFIG) config: HydraConfig,
    @Inject(APP_LOGGER) logger: Logger,
    security: ChannelSecurity,
  ) {
    const credentials = security.credentialsFor('scheduler');
    this.links = new Map(
      schedulerTargets(config).map((target) => {
        const client = new PlacementClient(target, credentials, clientChannelOptions());
        this.clients.push(client);
        return [target, { target, places: new PlaceStream(client), leases: new LeaseBook(client, logger) }];
      }),
    );
  }

  /** The first that lives places the model. */
  inOrder(modelId: string): SchedulerLink[] {
    return schedulersInOrder(modelId, [...this.links.keys()]).map((target) => this.links.get(target)!);
  }

  find(target: string): SchedulerLink | undefined {
    return this.links.get(target);
  }

  /** Leases that have just ended are still given back. */
  async onApplicationShutdown(): Promise<void> {
    await Promise.all([...this.links.values()].map(({ leases }) => leases.close()));
    for (const { places } of this.links.values()) places.close();
    for (const client of this.clients) client.close();
  }
}
