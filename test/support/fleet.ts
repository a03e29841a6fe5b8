import { credentials } from '@grpc/grpc-js';
import { FleetClient, type FleetMember, type FleetSnapshot } from '#lib/contracts';

/** The fleet's members as the scheduler sees them now. */
export async function fleetMembers(schedulerTarget: string): Promise<FleetMember[]> {
  const client = new FleetClient(schedulerTarget, credentials.createInsecure());
  const stream = client.watch({ watcherId: 'test' });
  stream.on('error', () => {}); // cancelling ends it with an error
  try {
    for await (const snapshot of stream as AsyncIterable<FleetSnapshot>) return snapshot.members;
    return [];
  } finally {
    stream.cancel();
    client.close();
  }
}
