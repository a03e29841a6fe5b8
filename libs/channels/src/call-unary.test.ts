import { credentials, Server, ServerCredentials, status } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PlacementClient, PlacementService, PlaceRequest, type PlaceResponse } from '#lib/contracts';
import { callUnary } from './call-unary.js';
import { clientChannelOptions } from './channel-options.js';
import { GrpcStatusError } from './grpc-status-error.js';

type Reply = (error: { code: status; details: string } | null, response?: PlaceResponse) => void;

describe('callUnary', () => {
  let server: Server;
  let client: PlacementClient;
  let calls = 0;
  let cancelled: Promise<void>;
  let onPlace: (reply: Reply) => void = () => {};

  beforeEach(async () => {
    calls = 0;
    server = new Server();
    let tellCancelled = () => {};
    cancelled = new Promise((resolve) => {
      tellCancelled = resolve;
    });
    server.addService(PlacementService, {
      place: (call: { on(event: 'cancelled', listener: () => void): void }, reply: Reply) => {
        calls++;
        call.on('cancelled', tellCancelled);
        onPlace(reply);
      },
    } as never);
    const port = await new Promise<number>((resolve) =>
      server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (_error, bound) => resolve(bound)),
    );
    client = new PlacementClient(`127.0.0.1:${port}`, credentials.createInsecure(), clientChannelOptions());
  });

  afterEach(() => {
    client.close();
    server.forceShutdown();
  });

  const place = (options: Parameters<typeof callUnary>[2]) =>
    callUnary(client.place.bind(client), PlaceRequest.fromPartial({}), options);

  it('gives the answer', async () => {
    onPlace = (reply) => reply(null, { outcome: undefined, waitedUs: 9, explanation: undefined });
    expect((await place({ timeoutMs: 5_000 })).waitedUs).toBe(9);
  });

  it('tries again while nobody answers, as often as it may', async () => {
    onPlace = (reply) => reply({ code: status.UNAVAILABLE, details: 'starting' });
    await expect(place({ timeoutMs: 5_000, retries: 2 })).rejects.toThrow('UNAVAILABLE: starting');
    expect(calls).toBe(3);
  });

  it('does not repeat a call that was refused', async () => {
    onPlace = (reply) => reply({ code: status.INVALID_ARGUMENT, details: 'no' });
    const error = await place({ timeoutMs: 5_000, retries: 2 }).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(GrpcStatusError);
    expect((error as GrpcStatusError).codeName).toBe('INVALID_ARGUMENT');
    expect(calls).toBe(1);
  });

  it('ends at its deadline', async () => {
    onPlace = () => {};
    await expect(place({ timeoutMs: 30 })).rejects.toThrow('DEADLINE_EXCEEDED');
  });

  it('cancels the call at the server when the signal aborts', async () => {
    const controller = new AbortController();
    onPlace = () => controller.abort(new Error('client gone'));
    await expect(place({ timeoutMs: 5_000, signal: controller.signal })).rejects.toThrow('client gone');
    await cancelled;
  });
});
