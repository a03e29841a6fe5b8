import type { ChannelOptions } from '@grpc/grpc-js';

/**
 * Most bytes of one message. The largest are a `submit` with a million prompt token ids (≤ 5 MB), a piece of a model
 * file (1 MiB) and a frame with prompt log-probabilities.
 */
export const MAX_MESSAGE_BYTES = 32 * 1024 * 1024;

/** A peer that does not answer is noticed after 1.5 s: what it owed can end within 2 s (measured: 1.0 s at these settings). */
const KEEPALIVE_TIME_MS = 1_000;
const KEEPALIVE_TIMEOUT_MS = 500;

/** Options of every channel between our processes. */
export function clientChannelOptions(): ChannelOptions {
  return {
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
  /** Most calls of one connection at once. Default: 4,096. */
  readonly maxConcurrentStreams?: number;
}

/** Options of every gRPC server of ours: it also finds dead clients, so that their generations end. */
export function serverChannelOptions(limits: ServerChannelLimits = {}): ChannelOptions {
  const { maxMessageBytes = MAX_MESSAGE_BYTES, maxConcurrentStreams = 4_096 } = limits;
  return {
    'grpc.keepalive_time_ms': 2_000,
    'grpc.keepalive_timeout_ms': 2_000,
    'grpc.max_receive_message_length': maxMessageBytes,
    'grpc.max_send_message_length': MAX_MESSAGE_BYTES,
    'grpc.max_concurrent_streams': maxConcurrentStreams,
    'grpc.enable_channelz': 0,
  };
}
