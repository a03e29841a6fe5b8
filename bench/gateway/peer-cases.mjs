import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { AROUND, spawnOn } from './cores.mjs';
import { Load } from './load.mjs';
import { AT_ONCE, cpuPerMillionEvents, cpuPerThousand, loadSettings, PACED } from './load-cases.mjs';
import { PEERS, PeerUnavailableError } from './peers.mjs';
import { MODEL } from './platform.mjs';

const ENTRY = fileURLToPath(new URL('./http-worker.mjs', import.meta.url));
const WORKERS = 4;

/** The rows that a proxy has, too. @returns figures by row, or a sentence about a peer that cannot be had */
export async function measurePeer(name) {
  try {
    const plain = await measure(name, AT_ONCE, { concurrency: 64, stream: false });
    const flood = await measure(name, AT_ONCE, { concurrency: 64, stream: true });
    const paced = await measure(name, PACED, { concurrency: 64, stream: true });
    const many = await measure(name, PACED, { concurrency: 256, stream: true });
    return {
      figures: {
        'plain.64': cpuPerThousand(plain),
        'flood.64': cpuPerMillionEvents(flood),
        'paced.64': cpuPerMillionEvents(paced),
        'paced.256': cpuPerMillionEvents(many),
        'ttft-p50.64': paced.ttftMs.p50 - paced.direct.ttftMs.p50,
        'ttft-p99.64': paced.ttftMs.p99 - paced.direct.ttftMs.p99,
      },
    };
  } catch (error) {
    if (error instanceof PeerUnavailableError) return { notMeasured: error.message };
    throw error;
  }
}

async function measure(name, mock, shape) {
  const workers = await Promise.all(Array.from({ length: WORKERS }, () => startWorker(mock)));
  const ports = workers.map(({ port }) => port);
  const load = new Load();
  let peer;
  try {
    peer = await PEERS[name](ports);
    const settings = { path: '/v1/completions', headers: {}, ...loadSettings(shape) };
    const result = await load.run('closedLoop', { ...settings, ports: [peer.port], pids: [peer.pid] });
    if (!shape.stream || mock.itlMs === 0 || shape.concurrency > 64) return result;
    const direct = await load.run('closedLoop', { ...settings, ports, pids: [], warmUpMs: 2_000, measureMs: 4_000 });
    return { ...result, direct };
  } finally {
    load.stop();
    await peer?.stop();
    for (const { child } of workers) child.kill('SIGKILL');
  }
}

async function startWorker(mock) {
  const child = spawnOn(AROUND, process.execPath, [ENTRY], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  child.send({ ...mock, modelId: MODEL });
  const [{ httpPort: port }] = await once(child, 'message');
  return { child, port };
}
