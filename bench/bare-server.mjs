import { once } from 'node:events';
import { createServer } from 'node:http';

/**
 * A server that answers every completion at once with one event: what the client and HTTP cost by themselves.
 * @returns {Promise<{url: string, stop: () => void}>}
 */
export async function startBareServer() {
  const events = [
    { choices: [{ index: 0, text: 'x', finish_reason: 'length' }] },
    { choices: [], usage: { prompt_tokens: 1, completion_tokens: 1 } },
  ];
  const body = `${events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join('')}data: [DONE]\n\n`;
  const server = createServer((request, response) => {
    request.resume().on('end', () => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.end(body);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { url: `http://127.0.0.1:${server.address().port}`, stop: () => server.close() };
}
