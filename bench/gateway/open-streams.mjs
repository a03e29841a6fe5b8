import { HttpClient, requestBytes } from './http-client.mjs';

/** Opened at once; more would overrun a listening socket's queue. */
const WAVE = 200;
const open = new Set();

/** Opens streams and keeps them. @returns {Promise<{opened: number}>} when all are on their way */
export async function openStreams({ port, path, headers, body, count, isRead }) {
  for (let opened = 0; opened < count; opened += WAVE) {
    await Promise.all(
      Array.from({ length: Math.min(WAVE, count - opened) }, async (_, index) => {
        const client = new HttpClient(port);
        open.add(client);
        await client.connected;
        const prompt = `${String(opened + index).padStart(8, '0')}${body.prompt.slice(8)}`;
        client.send(requestBytes({ path, headers, body: JSON.stringify({ ...body, prompt }) })).catch(() => {});
        if (!isRead) client.pause();
      }),
    );
  }
  return { opened: open.size };
}

export async function closeStreams() {
  for (const client of open) client.close();
  open.clear();
  return {};
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

/** One request after the other. @returns {Promise<{status: number}[]>} */
export async function inTurn({ port, path, headers, bodies }) {
  const client = new HttpClient(port);
  const answers = [];
  for (const body of bodies) {
    const startMs = performance.now();
    const { status } = await client.send(requestBytes({ path, headers, body: JSON.stringify(body) }));
    answers.push({ status, ms: performance.now() - startMs });
  }
  client.close();
  return answers;
}
