import type { Command } from 'commander';
import { gatewayUrl } from '../client/gateway-url.js';
import { servedModel } from '../client/served-model.js';
import { type LoadResult, runLoad } from '../load/run-load.js';
import { wholeNumber, wholeNumbers } from '../terminal/number-options.js';
import { untilInterrupted } from '../terminal/shutdown.js';
import { formatTable } from '../terminal/table.js';

interface BenchOptions {
  readonly model?: string;
  readonly concurrency: readonly number[];
  readonly requests: number;
  readonly promptWords: number;
  readonly maxTokens: number;
  readonly json: boolean;
}

export function addBench(program: Command): void {
  program
    .command('bench')
    .description('load a server of the OpenAI API and report TTFT, ITL and tokens per second')
    .argument('[url]', 'base URL; default: the platform that runs on this machine')
    .option('--model <model>', 'model or alias; default: the first that is served')
    .option('--concurrency <list>', 'streams at once; several values run one after another', wholeNumbers, [1, 4, 16])
    .option('--requests <n>', 'requests for each concurrency, beside one warm-up per stream', wholeNumber, 32)
    .option('--prompt-words <n>', 'words of each prompt; every prompt is different', wholeNumber, 30)
    .option('--max-tokens <n>', 'tokens of each answer (end of sequence is ignored)', wholeNumber, 64)
    .option('--json', 'print JSON', false)
    .addHelpText(
      'after',
      `
Times are in milliseconds. TTFT: request sent to first token; ITL: between two events of a stream.

Examples:
  hydra bench                                              the platform of this machine, at 1, 4 and 16 streams
  hydra bench http://host:8000 --concurrency 32 --json     any server of the OpenAI API`,
    )
    .action((url: string | undefined, options: BenchOptions) => bench(gatewayUrl(url), options));
}

async function bench(url: string, options: BenchOptions): Promise<void> {
  const signal = untilInterrupted();
  const model = await servedModel(url, options.model, signal);
  const results: LoadResult[] = [];
  for (const concurrency of options.concurrency) {
    results.push(
      await runLoad({ ...options, url, model, concurrency, requests: Math.max(options.requests, concurrency), signal }),
    );
  }
  if (options.json) process.stdout.write(`${JSON.stringify(results, null, 2)}\n`);
  else process.stdout.write(`${report(results)}\n`);
  const failed = results.find((result) => result.failedRequests > 0);
  if (failed !== undefined) throw new Error(`some requests failed, the first with: ${failed.firstError}`);
}

function report(results: readonly LoadResult[]): string {
  return formatTable(
    [
      'streams',
      'requests',
      'failed',
      'TTFT p50',
      'TTFT p99',
      'ITL p50',
      'ITL p99',
      'e2e p50',
      'tokens/s',
      'requests/s',
    ],
    results.map((result) => [
      result.concurrency,
      result.requests,
      result.failedRequests,
      milliseconds(result.ttftMs.p50),
      milliseconds(result.ttftMs.p99),
      milliseconds(result.itlMs.p50),
      milliseconds(result.itlMs.p99),
      milliseconds(result.e2eMs.p50),
      result.tokensPerSecond.toFixed(1),
      result.requestsPerSecond.toFixed(1),
    ]),
  );
}

/** Without a sample there is no time. */
function milliseconds(value: number): string {
  return value > 0 ? value.toFixed(1) : '–';
}
