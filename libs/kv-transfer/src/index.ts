/** Moves blocks of attention state between processes: the service over a store behind a port, and a client that trusts nothing. */
export { fetchKvBlocks, KvBlockFaultError, type WantedKvChain } from './fetch-kv-blocks.js';
export type { FetchOrigin } from './fetch-origin.js';
export { faultOfOffered, faultOfReceived, type KvBlockFault, type WantedKvBlock } from './kv-block-fault.js';
export { KvBlockSink, KvBlockSource } from './kv-block-source.js';
export { type HeldBlocksChange, KvEventLog, type KvEventReader } from './kv-event-log.js';
export { isSameLayout, layoutName } from './kv-layout.js';
export { putKvBlocks } from './put-kv-blocks.js';
export { MAX_BLOCKS_PER_CALL, type ServedKvBlocks, serveKvBlocks } from './serve-kv-blocks.js';
