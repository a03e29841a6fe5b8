import { InternalGrpcServer, type InternalServerAddress } from '#lib/channels';

/** The fleet, placement and operations. */
export class SchedulerGrpcServer extends InternalGrpcServer {
  constructor(address: InternalServerAddress) {
    super(address, {
      controllers: ['Fleet', 'Operations', 'Placement'],
      protoFiles: ['fleet', 'operations', 'placement'],
    });
  }
}
