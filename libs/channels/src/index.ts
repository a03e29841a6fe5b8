export { BackOff, type BackOffOptions } from './back-off.js';
export { type BoundServer, bindServer } from './bind-server.js';
export { Breaker } from './breaker.js';
export { callUnary, type UnaryMethod, type UnaryOptions } from './call-unary.js';
export {
  clientChannelOptions,
  MAX_MESSAGE_BYTES,
  type ServerChannelLimits,
  serverChannelOptions,
} from './channel-options.js';
export { ChannelSecurity, openChannelSecurity } from './channel-security.js';
export { fetchModelFiles } from './fetch-model-files.js';
export { type GenerationEvent, type GenerationFailure, GenerationStream, workerLost } from './generation-stream.js';
export { GrpcStatusError } from './grpc-status-error.js';
export { InternalGrpcServer, type InternalServerAddress } from './internal-grpc-server.js';
export { LastingStream } from './lasting-stream.js';
export { MessageBundle } from './message-bundle.js';
export { OperationsController } from './operations.controller.js';
export { readStream } from './read-stream.js';
export { addReflection } from './reflection.js';
export { bindSecurely, guardTlsServer, type TlsListenerOptions, tlsServerOptions } from './secure-listener.js';
export { TlsMetrics } from './tls-metrics.js';
export { untilAborted } from './until-aborted.js';
export { type WatchHandlers, WatchStream } from './watch-stream.js';
export { toWireRecords } from './wire-records.js';
export { type SessionState, WorkerSession, type WorkerSessionOptions } from './worker-session.js';
