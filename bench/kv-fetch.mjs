/**
 * Time to the first token of a prompt of 1,000 tokens on a worker that has not seen it: computed, and fetched from another worker that
 * has, over gRPC on this machine: `node bench/kv-fetch.mjs` after `make build`. Two engines, each with all threads, of which one computes at
 * a time; the parts between are the worker's own. Rounds come in turn, so that their ratios mean something. `--json` prints the figures.
 */
import { once } from 'node:events';
import { createServer } from 'node:net';
import { loadavg } from 'node:os';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { openChannelSecurity, serverChannelOptions } from '#lib/channels';
import { loadConfig } from '#lib/config';
import { hashBlocks, prefixSeed } from '#lib/kv';
import { serveKvBlocks } from '#lib/kv-transfer';
import { createLogger } from '#lib/observability';
import { EngineKvBlocks } from '../dist/apps/inference/src/kv/engine-kv-blocks.js';
import { KvCaches } from '../dist/apps/inference/src/kv/kv-caches.js';
import { KvClients } from '../dist/apps/inference/src/kv/kv-clients.js';
import { KvFetcher } from '../dist/apps/inference/src/kv/kv-fetcher.js';
import { numberedPrompt } from './engine/prompts.mjs';
import { median, ratioSpread, ratioText } from './engine/statistics.mjs';
import { fetchingReader, firstTokenMs, startedHost } from './kv-hosts.mjs';

const PROMPT_TOKENS = 1_000;
const ROUNDS = 5;

const config = loadConfig();
const logger = createLogger('bench', { level: 'warn', format: 'text' });
const [source, reader] = await Promise.all([startedHost(config, logger), startedHost(config, logger)]);
const { model } = source.engine.describe();
const target = await served(source);
const fetches = [];
const clients = new KvClients(openChannelSecurity({ tls: 'off', certificates: {} }, 'worker', logger));
const fetcher = new KvFetcher(config, reader, clients, new KvCaches(config, clients), {
  fetched: (fetch) => fetches.push(fetch),
});
const submitted = fetchingReader(reader, fetcher);

const ttftMs = { cold: [], fetched: [] };
// the first round warms up
for (let round = 0; round <= ROUNDS; round++) {
  const [own, others] = [2 * round, 2 * round + 1].map((n) => numberedPrompt(model.vocabularySize, n, PROMPT_TOKENS));
  await firstTokenMs(source, { promptTokenIds: others });
  const cold = await firstTokenMs(reader, submitted({ promptTokenIds: own }));
  const fetched = await firstTokenMs(reader, submitted({ promptTokenIds: others, kvSources: [sourceOf(others)] }));
  if (round === 0) continue;
  ttftMs.cold.push(cold);
  ttftMs.fetched.push(fetched);
}

const last = fetches.slice(1);
const report = {
  date: new Date().toISOString(),
  loadAverage: loadavg()[0],
  model: model.modelId,
  weights: model.weights,
  promptTokens: PROMPT_TOKENS,
  ttftMs,
  fetches: last,
  ratios: ratioSpread(ttftMs.cold, ttftMs.fetched),
};
if (process.argv.includes('--json')) console.log(JSON.stringify(report, null, 2));
else {
  const { date, loadAverage } = report;
  console.log(
    `${date}  ${model.modelId} (${model.weights}), ${PROMPT_TOKENS} prompt tokens, load ${loadAverage.toFixed(2)}`,
  );
  console.log(`cold    ${median(ttftMs.cold).toFixed(1)} ms`);
  const seconds = median(last.map((fetch) => fetch.seconds));
  const [{ blocks, bytes }] = last;
  const said = `${blocks} blocks, ${(bytes / 1e6).toFixed(1)} MB in ${(seconds * 1_000).toFixed(0)} ms (median)`;
  console.log(`fetched ${median(ttftMs.fetched).toFixed(1)} ms, ${ratioText(report.ratios, 1)}; ${said}`);
}
process.exit(0);

async function served(host) {
  const server = new Server(serverChannelOptions());
  serveKvBlocks(server, { source: new EngineKvBlocks(host) });
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  const listener = createServer({ noDelay: true }, (socket) => injector.injectConnection(socket)).listen(
    0,
    '127.0.0.1',
  );
  await once(listener, 'listening');
  return `127.0.0.1:${listener.address().port}`;
}

function sourceOf(prompt) {
  const seed = prefixSeed({ modelFingerprint: model.modelFingerprint, adapterVersion: '', salt: '' });
  return { target, blockHashes: hashBlocks(prompt, model.blockTokens, seed).map((hash) => Buffer.from(hash)) };
}
