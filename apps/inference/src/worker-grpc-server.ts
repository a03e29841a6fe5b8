import { InternalGrpcServer, type InternalServerAddress } from '#lib/channels';
import { type ServedKvBlocks, serveKvBlocks } from '#lib/kv-transfer';

/** The worker's sessions, operations and, where it gives them to others, its blocks. Its health is that it takes something new. */
export class WorkerGrpcServer extends InternalGrpcServer {
  constructor(address: InternalServerAddress, kvBlocks: ServedKvBlocks | undefined) {
    super(address, {
      controllers: ['Worker', 'Operations'],
      ...(kvBlocks && { added: { names: ['KvBlocks'], addTo: (server) => serveKvBlocks(server, kvBlocks) } }),
      withHealth: ['Worker'],
      protoFiles: ['worker', 'operations', ...(kvBlocks === undefined ? [] : ['kv'])],
      isServing: false,
    });
  }
}
