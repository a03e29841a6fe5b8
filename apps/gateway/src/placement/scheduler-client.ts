import { Inject, Injectable } from '@nestjs/common';
import { ChannelSecurity, clientChannelOptions } from '#lib/channels';
import type { HydraConfig } from '#lib/config';
import { PlacementClient } from '#lib/contracts';
import { GATEWAY_CONFIG } from '../gateway-config.js';
import { PlaceStream } from './place-stream.js';

/** The channel to the scheduler. */
@Injectable()
export class SchedulerClient {
  readonly placement: PlacementClient;
  /** Asks for places. */
  readonly places: PlaceStream;

  constructor(@Inject(GATEWAY_CONFIG) config: HydraConfig, security: ChannelSecurity) {
    const credentials = security.credentialsFor('scheduler');
    this.placement = new PlacementClient(config.scheduler.target, credentials, clientChannelOptions());
    this.places = new PlaceStream(this.placement);
  }

  close(): void {
    this.places.close();
    this.placement.close();
  }
}
