/** What the peers stand before: a worker over HTTP with the answers and the pace of the mock workers. Settings come over IPC. */
import { createServer } from 'node:http';

const [{ ttftMs, itlMs, modelId }] = await new Promise((resolve) => process.once('message', (...of) => resolve(of)));
const head = `"id":"cmpl-${'0'.repeat(32)}","object":"text_completion","created":1,"model":"${modelId}","system_fingerprint":"fp_000000000000"`;
const eventOf = (finish) =>
  `data: {${head},"choices":[{"index":0,"text":" word","logprobs":null,"finish_reason":${finish},"stop_reason":null}]}\n\n`;
const EVENT = eventOf('null');
const LAST_EVENTS = `${eventOf('"length"')}data: [DONE]\n\n`;

/** @type {Set<{response: import('node:http').ServerResponse, left: number, readyMs: number, isBlocked: boolean}>} */
const streams = new Set();

/** Longer than a proxy keeps a connection that it does not use: one that is closed as its next request comes would be answered 502. */
const KEEP_ALIVE_TIMEOUT_MS = 600_000;

const server = createServer({ keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS }, (request, response) => {
  const pieces = [];
  request.on('data', (piece) => pieces.push(piece));
  request.on('end', () => {
    if (request.method !== 'POST') return void response.end(JSON.stringify({ data: [{ id: modelId }] }));
    const { max_tokens: tokens, stream } = JSON.parse(Buffer.concat(pieces));
    if (!stream) return void setTimeoutOrNow(() => whole(response, tokens), ttftMs + tokens * itlMs);
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const open = { response, left: tokens, readyMs: performance.now() + ttftMs, isBlocked: false };
    streams.add(open);
    response.on('close', () => streams.delete(open));
    response.on('drain', () => (open.isBlocked = false));
  });
}).listen(0, '127.0.0.1', () => process.send({ kind: 'listening', httpPort: server.address().port }));
process.once('disconnect', () => process.exit(0));
step();

function whole(response, tokens) {
  const choice = `{"index":0,"text":"${' word'.repeat(tokens)}","logprobs":null,"finish_reason":"length"}`;
  const body = `{${head},"choices":[${choice}],"usage":{"prompt_tokens":30,"completion_tokens":${tokens},"total_tokens":${30 + tokens}}}`;
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length });
  response.end(body);
}

/** One event for each stream that has begun and whose reader takes it. */
function step() {
  const nowMs = performance.now();
  for (const open of streams) {
    if (open.readyMs > nowMs || open.isBlocked) continue;
    if (--open.left > 0) {
      open.isBlocked = !open.response.write(EVENT);
    } else {
      streams.delete(open);
      open.response.end(LAST_EVENTS);
    }
  }
  setTimeoutOrNow(step, itlMs - (performance.now() - nowMs));
}

function setTimeoutOrNow(run, ms) {
  if (ms >= 1) setTimeout(run, ms);
  else setImmediate(run);
}
