import { quantile } from '../engine/statistics.mjs';
import { cpuSeconds } from './cpu-time.mjs';
import { HttpClient, requestBytes } from './http-client.mjs';

/**
 * Keeps `concurrency` requests under way, spread over `ports`, and counts those within the time after the warm-up.
 * @param {object} options
 * @param {readonly number[]} options.ports
 * @param {string} options.path
 * @param {Record<string, string>} options.headers
 * @param {object} options.body  a `prompt` gets its number in front, so that no two are equal
 * @param {number} options.eventsPerRequest  0 for answers that are not streamed
 * @param {readonly number[]} options.pids  processes whose CPU time is counted
 */
export async function closedLoop({
  ports,
  path,
  headers,
  body,
  eventsPerRequest,
  concurrency,
  warmUpMs,
  measureMs,
  pids,
}) {
  const window = new CountedWindow(pids);
  let isOver = false;
  let number = 0;
  const gapsMs = [];
  const client = async (index) => {
    let lastMs = 0;
    const connection = new HttpClient(ports[index % ports.length], (count) => {
      const nowMs = performance.now();
      if (window.isOpen) {
        window.events += count;
        if (lastMs > 0) gapsMs.push(nowMs - lastMs);
      }
      lastMs = nowMs;
    });
    while (!isOver) {
      lastMs = 0;
      const prompt = `${String(number++).padStart(8, '0')}${body.prompt.slice(8)}`;
      const { status, events, isWhole, ttftMs } = await connection.send(
        requestBytes({ path, headers, body: JSON.stringify({ ...body, prompt }) }),
      );
      if (status !== 200) throw new Error(`A request was answered ${status}.`);
      // Fewer where a worker's socket was full: steps that wait for it come as one.
      const isPossible = eventsPerRequest === 0 ? events === 0 : isWhole && events > 0 && events <= eventsPerRequest;
      if (!isPossible) throw new Error(`An answer had ${events} events${isWhole ? '' : ' and no end'}.`);
      if (!window.isOpen) continue;
      window.requests++;
      window.events -= eventsPerRequest > 0 ? 1 : 0; // `data: [DONE]`
      window.ttftMs.push(ttftMs);
    }
    connection.close();
  };
  const clients = Promise.all(Array.from({ length: concurrency }, (_, index) => client(index)));
  const timer = (async () => {
    await pause(warmUpMs);
    window.open();
    await pause(measureMs);
    window.close();
    isOver = true;
  })();
  await Promise.race([clients, timer]); // a client that fails ends it all
  await Promise.all([clients, timer]);
  return { ...window.result(), gapP99Ms: gapsMs.length === 0 ? undefined : quantile(gapsMs, 0.99) };
}

/** What was counted, and the CPU time that processes used meanwhile. */
class CountedWindow {
  isOpen = false;
  requests = 0;
  events = 0;
  ttftMs = [];
  #pids;
  #before;
  #ownBefore;
  #openedMs;
  #result;

  constructor(pids) {
    this.#pids = pids;
  }

  open() {
    this.isOpen = true;
    this.#openedMs = performance.now();
    this.#before = this.#pids.map(cpuSeconds);
    this.#ownBefore = process.cpuUsage();
  }

  close() {
    this.isOpen = false;
    const seconds = (performance.now() - this.#openedMs) / 1000;
    const own = process.cpuUsage(this.#ownBefore);
    this.#result = {
      seconds,
      cpuSeconds: this.#pids.map((pid, index) => cpuSeconds(pid) - this.#before[index]),
      /** Of one core; near 1 the generator would be what is measured. */
      loadShare: (own.user + own.system) / 1e6 / seconds,
    };
  }

  result() {
    const { requests, events, ttftMs } = this;
    const ttft = ttftMs.length === 0 ? undefined : { p50: quantile(ttftMs, 0.5), p99: quantile(ttftMs, 0.99) };
    return { ...this.#result, requests, events, ttftMs: ttft };
  }
}

function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
