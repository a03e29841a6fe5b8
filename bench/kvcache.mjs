/**
 * Time to the first token of a prompt of 1,000 tokens on a worker that has not seen it: computed, and fetched from a cache of KV blocks that another
 * worker gave it to: `node bench/kvcache.mjs` after `make build`. Two engines of which one computes at a time, and the app kvcache in a process of its
 * own. Rounds come in turn, so that their ratios mean something. `--json` prints the figures.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { loadavg } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { openChannelSecurity } from '#lib/channels';
import { loadConfig } from '#lib/config';
import { createLogger } from '#lib/observability';
import { EngineKvBlocks } from '../dist/apps/inference/src/kv/engine-kv-blocks.js';
import { KvCaches } from '../dist/apps/inference/src/kv/kv-caches.js';
import { KvClients } from '../dist/apps/inference/src/kv/kv-clients.js';
import { KvFetcher } from '../dist/apps/inference/src/kv/kv-fetcher.js';
import { KvPusher } from '../dist/apps/inference/src/kv/kv-pusher.js';
import { numberedPrompt } from './engine/prompts.mjs';
import { median, ratioSpread, ratioText } from './engine/statistics.mjs';
import { fetchingReader, firstTokenMs, startedHost } from './kv-hosts.mjs';

const PROMPT_TOKENS = 1_000;
const ROUNDS = 3;

const kvcache = fork(fileURLToPath(new URL('../dist/apps/kvcache/src/main.js', import.meta.url)), [], {
  env: { ...process.env, HYDRA_KVCACHE_GRPC_PORT: '0', HYDRA_KVCACHE_HTTP_PORT: '0', HYDRA_LOG_LEVEL: 'warn' },
  stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
});
const [{ grpcPort }] = await once(kvcache, 'message');
const config = loadConfig({
  env: { ...process.env, HYDRA_KVCACHE_TARGETS: `127.0.0.1:${grpcPort}`, HYDRA_KVCACHE_FETCH: 'always' },
});
const logger = createLogger('bench', { level: 'warn', format: 'text' });
const [source, reader] = await Promise.all([startedHost(config, logger), startedHost(config, logger)]);
const { model, blocks } = source.engine.describe();
const clients = new KvClients(openChannelSecurity({ tls: 'off', certificates: {} }, 'worker', logger));
const caches = new KvCaches(config, clients);
const fetches = [];
const pushed = {};
const metrics = {
  fetched: (fetch) => fetches.push(fetch),
  pushed: (outcome, count) => {
    pushed[outcome] = (pushed[outcome] ?? 0) + count;
  },
};
const pusher = new KvPusher(config, source, new EngineKvBlocks(source), caches, metrics);
const fetcher = new KvFetcher(config, reader, clients, caches, metrics);
const submitted = fetchingReader(reader, fetcher);
const promptBlocks = Math.floor(PROMPT_TOKENS / model.blockTokens);

const ms = { cold: [], fetched: [], pushed: [] };
// the first round warms up
for (let round = 0; round <= ROUNDS; round++) {
  const [own, others] = [2 * round, 2 * round + 1].map((n) => numberedPrompt(model.vocabularySize, n, PROMPT_TOKENS));
  const storedBefore = pushed.stored ?? 0;
  await firstTokenMs(source, { promptTokenIds: others });
  const pushStartMs = performance.now();
  while ((pushed.stored ?? 0) - storedBefore < promptBlocks) await delay(2);
  const pushMs = performance.now() - pushStartMs;
  const cold = await firstTokenMs(reader, { promptTokenIds: own });
  const fetched = await firstTokenMs(reader, fetcher.withCaches(submitted({ promptTokenIds: others })));
  if (round === 0) continue;
  ms.cold.push(cold);
  ms.fetched.push(fetched);
  ms.pushed.push(pushMs);
}
pusher.onApplicationShutdown();
kvcache.kill('SIGTERM');

const report = {
  date: new Date().toISOString(),
  loadAverage: loadavg()[0],
  model: model.modelId,
  weights: model.weights,
  promptTokens: PROMPT_TOKENS,
  promptBytes: promptBlocks * blocks.blockBytes,
  ms,
  fetches: fetches.slice(-ROUNDS),
  pushed,
  ratios: ratioSpread(ms.cold, ms.fetched),
};
if (process.argv.includes('--json')) console.log(JSON.stringify(report, null, 2));
else {
  const { date, loadAverage, promptBytes } = report;
  console.log(
    `${date}  ${model.modelId} (${model.weights}), ${PROMPT_TOKENS} prompt tokens, ${(promptBytes / 1e6).toFixed(1)} MB, load ${loadAverage.toFixed(2)}`,
  );
  console.log(`cold    ${median(ms.cold).toFixed(1)} ms`);
  console.log(`fetched ${median(ms.fetched).toFixed(1)} ms from kvcache, ${ratioText(report.ratios, 1)}`);
  console.log(`pushed  within ${median(ms.pushed).toFixed(1)} ms of the token, behind everybody's back (median)`);
}
process.exit(0);
