import { InternalGrpcServer, type InternalServerAddress } from '#lib/channels';
import { type ServedKvBlocks, serveKvBlocks } from '#lib/kv-transfer';

/** The blocks, and operations. */
export class KvcacheGrpcServer extends InternalGrpcServer {
  constructor(address: InternalServerAddress, blocks: ServedKvBlocks) {
    super(address, {
      controllers: ['Operations'],
      added: { names: ['KvBlocks'], addTo: (server) => serveKvBlocks(server, blocks) },
      protoFiles: ['kv', 'operations'],
    });
  }
}
