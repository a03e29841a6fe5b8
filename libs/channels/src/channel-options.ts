import type { ChannelOptions, ClientOptions } from '@grpc/grpc-js';
import { PeerWatch } from './peer-watch.js';

/**
 * Most bytes of one message. The largest are a `submit` with a million prompt token ids (≤ 5 MB), a piece of a model
 * file (1 MiB) and a frame with prompt log-probabilities.
 */
export const MAX_MESSAGE_BYTES = 32 * 1024 * 1024;

/** Most calls of one connection at once. */
const MAX_CONCURRENT_STREAMS = 4_096;

/**
 * Of HTTP/2's own pings. They clear away connections whose other end is gone without a word; a silent peer is noticed sooner by
 * `PeerWatch`, which does not take a blocked event loop of our own for it. A ping is also how grpc-js learns that a server which
 * broke off after a GOAWAY is gone (measured: at the next one), so there is one every second.
 */
const KEEPALIVE_TIME_MS = 1_000;
const KEEPALIVE_TIMEOUT_MS = 10_000;

/** Options of one client of another process of ours, with a connection of its own. */
export function clientChannelOptions(): ClientOptions {
  const watch = new PeerWatch();
  return {
    interceptors: [watch.intercept],
    channelFactoryOverride: watch.openChannel,
    // What one client asks never waits for the calls of another, nor in the back-off of an earlier connection.
    'grpc.use_local_subchannel_pool': 1,
    'grpc.keepalive_time_ms': KEEPALIVE_TIME_MS,
    'grpc.keepalive_timeout_ms': KEEPALIVE_TIMEOUT_MS,
    'grpc.keepalive_permit_without_calls': 1,
    'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
    'grpc.max_send_message_length': MAX_MESSAGE_BYTES,
    'grpc.initial_reconnect_backoff_ms': 100,
    'grpc.max_reconnect_backoff_ms': 2_000,
    // Retries are decided per call (`callUnary`) or by placing again, never by the channel behind our back.
    'grpc.enable_retries': 0,
    'grpc.enable_http_proxy': 0,
    'grpc.enable_channelz': 0,
    'grpc.service_config_disable_resolution': 1,
  };
}

export interface ServerChannelLimits {
  /** Most bytes of one message. Default: `MAX_MESSAGE_BYTES`. */
  readonly maxMessageBytes?: number;
  /** Most calls of one connection at once. Default: `MAX_CONCURRENT_STREAMS`. */
  readonly maxConcurrentStreams?: number;
}

/**
 * A client that is gone without a word is noticed after 7 s: until then its generations may run on, as far as their credit
 * goes. Longer than an own event loop is ever blocked, since grpc-js would take that for a client's silence.
 */
const SERVER_KEEPALIVE_TIME_MS = 2_000;
const SERVER_KEEPALIVE_TIMEOUT_MS = 5_000;

/** Options of every gRPC server of ours: it also finds dead clients, so that their generations end. */
export function serverChannelOptions(limits: ServerChannelLimits = {}): ChannelOptions {
  const { maxMessageBytes = MAX_MESSAGE_BYTES, maxConcurrentStreams = MAX_CONCURRENT_STREAMS } = limits;
  return {
    'grpc.keepalive_time_ms': SERVER_KEEPALIVE_TIME_MS,
    'grpc.keepalive_timeout_ms': SERVER_KEEPALIVE_TIMEOUT_MS,
    'grpc.max_receive_message_length': maxMessageBytes,
    'grpc.max_send_message_length': MAX_MESSAGE_BYTES,
    'grpc.max_concurrent_streams': maxConcurrentStreams,
    'grpc.enable_channelz': 0,
  };
}
