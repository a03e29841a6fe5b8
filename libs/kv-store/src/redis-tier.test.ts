import { createServer, type Server } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { openRedis } from '#lib/redis';
import { someChain } from './block-tier.conformance.js';
import { RedisTier } from './redis-tier.js';

const never = new AbortController().signal;
const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

async function listening(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as { port: number }).port;
}

function tierAt(port: number, now?: () => number) {
  const client = openRedis(`redis://127.0.0.1:${port}`, false, { commandTimeoutMs: 200 });
  const tier = new RedisTier(client, { ttlMs: 60_000, timeoutMs: 200, mostCommands: 8, now });
  closers.push(() => tier.close());
  return tier;
}

const reasonOf = (call: Promise<unknown>) => call.then(String, (error: { reason?: string }) => error.reason ?? error);

describe('the Redis tier without a Redis', () => {
  it('given nobody who listens, when asked, then it fails at once, and after three times it is not asked until the pause is over', async () => {
    const server = createServer();
    const port = await listening(server);
    await new Promise((resolve) => server.close(resolve));
    let now = 0;
    const tier = tierAt(port, () => now);
    const reasons = [];
    for (let call = 0; call < 4; call++) reasons.push(await reasonOf(tier.has(['a:1'], never)));
    expect(reasons).toEqual(['away', 'away', 'away', 'open']);
    expect(tier.isUp).toBe(false);
    now = 500;
    expect(await reasonOf(tier.write(someChain(1), never))).toBe('away');
    expect(await reasonOf(tier.touch(['a:1'], never))).toBe('open');
  });

  it('given one that does not answer, when asked, then it gives up in time; what waits is bounded', async () => {
    const sockets: { destroy(): void }[] = [];
    const server = createServer((socket) => {
      sockets.push(socket);
      socket.on('error', () => {});
      socket.on('data', (bytes) => {
        // answers what ioredis asks when it connects, and nothing else
        if (/info/i.test(bytes.toString())) socket.write('$18\r\nredis_version:6.2\r\n\r\n'.replace('$18', '$19'));
        else if (/client|hello/i.test(bytes.toString())) socket.write('+OK\r\n');
      });
    });
    const port = await listening(server);
    closers.push(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    const tier = tierAt(port);
    const outcomes = await Promise.all([
      reasonOf(
        tier.has(
          Array.from({ length: 20 }, (_, index) => `a:${index}`),
          never,
        ),
      ),
      reasonOf(tier.has(['b:1'], never)),
    ]);
    expect(outcomes.every((outcome) => ['busy', 'timeout', 'away'].includes(String(outcome)))).toBe(true);
  });

  it('given a caller that leaves, then its reason is what it gets', async () => {
    const server = createServer();
    const port = await listening(server);
    closers.push(() => server.close());
    const left = new AbortController();
    left.abort(new Error('left'));
    await expect(tierAt(port).read(['a:1'], left.signal)).rejects.toThrow('left');
  });
});
