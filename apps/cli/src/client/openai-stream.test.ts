import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { ServerError, streamCompletion, textOf } from './openai-stream.js';

async function answering(status: number, pieces: readonly string[]): Promise<string> {
  const server = createServer((_request, response) => {
    response.writeHead(status, { 'content-type': 'text/event-stream' });
    for (const piece of pieces) response.write(piece);
    response.end();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  server.unref();
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function textFrom(url: string): Promise<string> {
  let text = '';
  for await (const chunk of streamCompletion(url, {})) text += textOf(chunk);
  return text;
}

it('given comments and events cut anywhere, when read, then the text is whole', async () => {
  const url = await answering(200, [
    ': queued\n\nda',
    'ta: {"choices":[{"text":"Hel"}]}\n',
    '\ndata: {"choices":[{"delta":{"content":"lo"}}]}\n\ndata: [DONE]\n\n',
  ]);
  expect(await textFrom(url)).toBe('Hello');
});

it.each([
  [200, ['data: {"error":{"message":"the worker was lost"}}\n\n'], 'the worker was lost'],
  [200, ['data: {"choices":[{"text":"Hel"}]}\n\n'], 'the stream ended before [DONE]'],
  [404, ['{"error":{"message":"no such model"}}'], 'no such model'],
])('given status %d and %j, when read, then it throws "%s"', async (status, pieces, message) => {
  await expect(textFrom(await answering(status, pieces))).rejects.toThrow(new ServerError(message, status));
});
