/**
 * `make bench`: TTFT, ITL and tokens per second through the gateway and of the engine alone, and what gateway, scheduler and
 * session add to TTFT with the mock engine. Prints a table; `--json` prints the figures. Figures are of this machine and
 * minute: compare within one run.
 */
import { loadavg } from 'node:os';
import { loadConfig } from '#lib/config';
import { mockEngine } from '#lib/engine';
import { TextModel } from '#lib/tokens';
import { promptOf } from '../dist/apps/cli/src/load/prompt-of.js';
import { startBareServer } from './bare-server.mjs';
import { quantile } from './engine/statistics.mjs';
import { loadEngine } from './engine-load.mjs';
import { onnxEngineFor } from './onnx-engine.mjs';
import { loadServer, startPlatform } from './platform.mjs';

const CONCURRENCIES = [1, 4, 16];
const MAX_TOKENS = 32;
const PROMPT_WORDS = 30;
const MOCK = { ttftMs: 20, itlMs: 5 };
/** Requests before those that count: a server is judged when its code is compiled, which takes a few hundred calls. */
const WARM_UP_REQUESTS = 300;

const config = loadConfig();
const report = {
  date: new Date().toISOString(),
  node: process.version,
  cpus: (await import('node:os')).cpus()[0]?.model,
  loadAverage: loadavg()[0],
  mock: await benchMock(),
  real: config.engine === 'onnx' ? await benchReal() : undefined,
};
if (process.argv.includes('--json')) console.log(JSON.stringify(report, null, 2));
else print(report);

/**
 * Added TTFT, one stream: through the platform, less what the same engine takes alone with the same settings, less what the
 * client takes with a server that does nothing.
 */
async function benchMock() {
  const platform = await startPlatform({
    HYDRA_ENGINE: 'mock',
    HYDRA_MOCK_TTFT_MS: String(MOCK.ttftMs),
    HYDRA_MOCK_ITL_MS: String(MOCK.itlMs),
    HYDRA_MOCK_PREFIX_CACHE: 'false',
  });
  const load = ['--requests', '100', '--max-tokens', '8'];
  const warmUp = ['--concurrency', '4', '--requests', String(WARM_UP_REQUESTS), '--max-tokens', '8'];
  await loadServer(platform.url, warmUp);
  const through = await loadServer(platform.url, ['--concurrency', '1,16', ...load]);
  await platform.stop();
  const bare = await startBareServer();
  await loadServer(bare.url, ['--model', 'none', ...warmUp]);
  const client = await loadServer(bare.url, ['--model', 'none', '--concurrency', '1', ...load]);
  bare.stop();

  const engine = mockEngine({ ...config.mock, ...MOCK, prefixCache: false, modelId: 'mock', waitingGenerations: 64 });
  await engine.start(new AbortController().signal);
  const text = TextModel.load(engine.describe().textFiles);
  const prompts = await promptsFor(text, 110);
  const alone = await loadEngine(engine, {
    concurrency: 1,
    requests: 100,
    maxTokens: 8,
    promptOf: (i) => prompts[i + 1],
  });
  await engine.stop();
  const ttftAloneMs = quantile(alone.ttftMs, 0.5);
  const clientMs = client[0].ttftMs.p50;
  const addedTtftP50Ms = through[0].ttftMs.p50 - ttftAloneMs - clientMs;
  return { readyMs: platform.readyMs, through, ttftAloneMs, clientMs, addedTtftP50Ms };
}

async function benchReal() {
  const platform = await startPlatform({ HYDRA_PREFIX_CACHE: 'false' }); // every prompt is to be computed
  const args = [
    '--concurrency',
    CONCURRENCIES.join(','),
    '--requests',
    '16',
    '--prompt-words',
    String(PROMPT_WORDS),
    '--max-tokens',
    String(MAX_TOKENS),
  ];
  const through = await loadServer(platform.url, args);
  await platform.stop();

  const engine = await onnxEngineFor({ ...config, workers: { ...config.workers, prefixCache: false } });
  await engine.start(new AbortController().signal);
  const prompts = await promptsFor(TextModel.load(engine.describe().textFiles), 40);
  const alone = [];
  for (const concurrency of CONCURRENCIES) {
    const result = await loadEngine(engine, {
      concurrency,
      requests: 16,
      maxTokens: MAX_TOKENS,
      promptOf: (i) => prompts[i + 17],
    });
    alone.push({
      concurrency,
      ttftP50Ms: quantile(result.ttftMs, 0.5),
      ttftP99Ms: quantile(result.ttftMs, 0.99),
      itlP50Ms: quantile(result.itlMs, 0.5),
      itlP99Ms: quantile(result.itlMs, 0.99),
      tokensPerSecond: result.tokensPerSecond,
    });
  }
  const { model } = engine.describe();
  await engine.stop();
  return { model: model.modelId, weights: model.weights, readyMs: platform.readyMs, through, alone };
}

async function promptsFor(text, count) {
  return Promise.all(Array.from({ length: count }, (_, i) => text.promptFromText(promptOf(PROMPT_WORDS, i))));
}

function print({ mock, real, ...machine }) {
  console.log(`${machine.date}  ${machine.cpus}  Node ${machine.node}  load ${machine.loadAverage.toFixed(2)}\n`);
  console.log(
    `mock: ready in ${(mock.readyMs / 1000).toFixed(1)} s; TTFT p50 ${mock.through[0].ttftMs.p50.toFixed(1)} ms through the platform,`,
  );
  console.log(
    `      ${mock.ttftAloneMs.toFixed(1)} ms of the engine alone, ${mock.clientMs.toFixed(1)} ms of the client: ${mock.addedTtftP50Ms.toFixed(1)} ms added\n`,
  );
  if (!real) return;
  console.log(`${real.model}, ${real.weights}: ready in ${(real.readyMs / 1000).toFixed(1)} s`);
  const head = ['streams', 'where', 'TTFT p50', 'TTFT p99', 'ITL p50', 'ITL p99', 'tokens/s'];
  const rows = real.through.flatMap((through, i) => {
    const alone = real.alone[i];
    return [
      [
        through.concurrency,
        'gateway',
        through.ttftMs.p50,
        through.ttftMs.p99,
        through.itlMs.p50,
        through.itlMs.p99,
        through.tokensPerSecond,
      ],
      [
        alone.concurrency,
        'engine',
        alone.ttftP50Ms,
        alone.ttftP99Ms,
        alone.itlP50Ms,
        alone.itlP99Ms,
        alone.tokensPerSecond,
      ],
    ];
  });
  for (const row of [head, ...rows]) {
    console.log(
      row
        .map((cell) =>
          (typeof cell === 'number' && !Number.isInteger(cell) ? cell.toFixed(1) : String(cell)).padStart(9),
        )
        .join(' '),
    );
  }
}
