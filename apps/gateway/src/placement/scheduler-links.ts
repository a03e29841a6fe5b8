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
  private readonly links = new Map<string, SchedulerLink>();
  private readonly clients: PlacementClient[] = [];
  private readonly targets: readonly string[];

  constructor(
    @Inject(GATEWAY_CONFIG) config: HydraConfig,
    @Inject(APP_LOGGER) private readonly logger: Logger,
    private readonly security: ChannelSecurity,
  ) {
    this.targets = schedulerTargets(config);
  }

  /** The first that lives places the model. */
  inOrder(modelId: string): SchedulerLink[] {
    return schedulersInOrder(modelId, this.targets).map((target) => this.to(target));
  }

  /** Also to one that only other schedulers know of: there are as many as their configuration names. */
  to(target: string): SchedulerLink {
    const known = this.links.get(target);
    if (known !== undefined) return known;
    const credentials = this.security.credentialsFor('scheduler');
    const client = new PlacementClient(target, credentials, clientChannelOptions());
    const places = new PlaceStream(client);
    const link = { target, places, leases: new LeaseBook(client, places, this.logger) };
    this.clients.push(client);
    this.links.set(target, link);
    return link;
  }

  /** Leases that have just ended are still given back. */
  async onApplicationShutdown(): Promise<void> {
    await Promise.all([...this.links.values()].map(({ leases }) => leases.close()));
    for (const { places } of this.links.values()) places.close();
    for (const client of this.clients) client.close();
  }
}
