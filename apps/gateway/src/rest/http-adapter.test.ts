import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import { expect, it } from 'vitest';
import { hydraSchema } from '#lib/config';
import { createHttpAdapter } from './http-adapter.js';

it('given a client that takes nothing for longer than a request may last, then its connection is closed', async () => {
  const config = hydraSchema.parse({ models: [{ id: 'test-model' }], gateway: { requestTimeoutMs: 100 } });
  const server = createHttpAdapter(config).getInstance();
  const closed = new Promise<void>((resolve) => {
    server.get('/flood', (request, reply) => {
      request.socket.once('close', () => resolve());
      reply.hijack();
      reply.raw.end(Buffer.alloc(64 * 2 ** 20)); // more than the buffers of two sockets
    });
  });
  await server.listen({ port: 0, host: '127.0.0.1' });
  const client = connect((server.server.address() as AddressInfo).port, '127.0.0.1').pause();
  await once(client, 'connect');
  client.on('error', () => {}); // the reset, when it is destroyed below
  client.write('GET /flood HTTP/1.1\r\nhost: test\r\n\r\n');
  await closed;
  expect(server.server.listening).toBe(true);
  client.destroy();
  await server.close();
});
