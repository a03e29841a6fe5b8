import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import type { FakeGeneration } from '../test-support/fake-worker.js';
import { dataOf, openStream, post, startTestPlatform, type TestPlatform } from '../test-support/test-platform.js';

const WINDOW_TOKENS = 16;
const READERS = 16;
/** Of one token: far more than a model's, so that the kernel's buffers are full soon. */
const TOKEN_TEXT = 'x'.repeat(16_384);
const MOST_EVENT_BYTES = TOKEN_TEXT.length + 512;

let platform: TestPlatform;
/** The gateway's ends of its clients' connections. */
const sockets = new Set<Socket>();
const onSocket = (message: unknown) => {
  const { socket } = message as { socket: Socket };
  if (socket.localPort === platform.httpPort) sockets.add(socket);
};
afterEach(async () => {
  unsubscribe('net.server.socket', onSocket);
  sockets.clear();
  await platform.stop();
});

describe('clients that read nothing of what fast workers send', () => {
  it('then the gateway holds no more bytes of each than its credit allows, however long others go on', async () => {
    platform = await startTestPlatform({ gateway: { streamBufferTokens: WINDOW_TOKENS } });
    subscribe('net.server.socket', onSocket);
    const slow: FakeGeneration[] = [];
    platform.worker.onSubmit = (generation) => {
      if (generation.request.stop?.maxTokens !== 400) return void generation.runToEnd();
      slow.push(generation);
      return void flood(generation);
    };
    const body = { model: 'default', prompt: 'hello', max_tokens: 400, stream: true };
    const streams = Array.from({ length: READERS }, () => openStream(`${platform.url}/v1/completions`, body));
    for (const { response } of streams) (await response).pause();
    const slowSockets = [...sockets].filter(({ destroyed }) => !destroyed);

    const sent = () => slow.reduce((sum, generation) => sum + generation.sent, 0);
    for (let before = -1; before !== sent() || slow.some(({ credit }) => credit > 0); ) {
      before = sent();
      const other = await post(`${platform.url}/v1/completions`, { ...body, max_tokens: 4 });
      expect(dataOf(await other.text()).at(-1)).toBe('[DONE]');
      await turn();
    }

    expect(slow).toHaveLength(READERS);
    expect(slowSockets).toHaveLength(READERS);
    for (const { writableLength } of slowSockets) {
      expect(writableLength).toBeLessThanOrEqual(WINDOW_TOKENS * MOST_EVENT_BYTES); // what one look at the stream gave
    }
    // What the kernel has not taken is here: as text that waits for the socket, or as tokens that wait for the writer.
    const takenByKernel = slowSockets.reduce((sum, socket) => sum + socket.bytesWritten - socket.writableLength, 0);
    const heldBytes = sent() * TOKEN_TEXT.length - takenByKernel;
    expect(heldBytes).toBeLessThanOrEqual(READERS * 2 * WINDOW_TOKENS * MOST_EVENT_BYTES);
    expect(heldBytes).toBeGreaterThan(0); // they are held up indeed
    for (const { abort } of streams) abort();
  });
});

async function flood(generation: FakeGeneration): Promise<void> {
  while (generation.sent < 400 && generation.cancelReason === undefined) {
    await generation.changed.until(() => generation.credit > 0 || generation.cancelReason !== undefined);
    generation.token(undefined, TOKEN_TEXT);
  }
}
