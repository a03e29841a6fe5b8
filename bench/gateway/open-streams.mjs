import { HttpClient, requestBytes } from './http-client.mjs';

/** Opened at once; more would overrun a listening socket's queue. */
const WAVE = 200;
const open = new Set();
/** How many of them ended, by status or what happened to them. */
const endings = {};

/** Opens streams and keeps them. @returns {Promise<{opened: number}>} when all are on their way */
export async function openStreams({ port, path, headers, body, count, isRead }) {
  for (let opened = 0; opened < count; opened += WAVE) {
    await Promise.all(
      Array.from({ length: Math.min(WAVE, count - opened) }, async (_, index) => {
        const client = new HttpClient(port);
        open.add(client);
        await client.connected;
        const prompt = `${String(opened + index).padStart(8, '0')}${body.prompt.slice(8)}`;
        const ended = (how) => {
          endings[how] = (endings[how] ?? 0) + 1;
        };
        client.send(requestBytes({ path, headers, body: JSON.stringify({ ...body, prompt }) })).then(
          ({ status }) => ended(status),
          ({ message }) => ended(message),
        );
        if (!isRead) client.pause();
      }),
    );
  }
  return { opened: open.size };
}

/** @returns {Promise<Record<string, number>>} how many of the opened streams ended, by status or what happened to them */
export async function streamEndings() {
  return endings;
}

/** Clients that leave while they wait for their first token, one after the other. @returns when each left */
export async function leaveStreams({ port, path, headers, body, count, stayMs }) {
  const leftAtMs = [];
  for (let i = 0; i < count; i++) {
    const client = new HttpClient(port);
    client.send(requestBytes({ path, headers, body: JSON.stringify(body) })).catch(() => {});
    await new Promise((resolve) => setTimeout(resolve, stayMs));
    leftAtMs.push(Date.now());
    client.close();
    await new Promise((resolve) => setTimeout(resolve, stayMs));
  }
  return { leftAtMs };
}

/** One request after the other. @returns {Promise<{status: number, ms: number, usage?: {prompt_tokens: number}}[]>} */
export async function inTurn({ port, path, headers, bodies }) {
  const answers = [];
  for (const body of bodies) {
    const startMs = performance.now();
    const response = await fetch(`http://127.0.0.1:${port}${path}`, {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    const { usage } = await response.json();
    answers.push({ status: response.status, usage, ms: performance.now() - startMs });
  }
  return answers;
}
