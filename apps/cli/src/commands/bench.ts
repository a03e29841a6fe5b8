import { type Command, InvalidArgumentError } from 'commander';
import { gatewayUrl } from '../client/gateway-url.js';
import { type LoadResult, runLoad } from '../load/run-load.js';
import { untilInterrupted } from '../terminal/shutdown.js';
import { formatTable } from '../terminal/table.js';

interface BenchOptions {
  readonly model: string;
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
    .option('--model <model>', 'model or alias', 'default')
    .option('--concurrency <list>', 'streams at once; several values run one after another', wholeNumbers, [1, 4, 16])
    .option('--requests <n>', 'requests for each concurrency, beside one warm-up per stream', wholeNumber, 32)
    .option('--prompt-words <n>', 'words of each prompt; every prompt is different', wholeNumber, 30)
    .option('--max-tokens <n>', 'tokens of each answer (end of sequence is ignored)', wholeNumber, 64)
    .option('--json', 'print JSON', false)
    .addHelpText(
      'after',
      '\nTimes are in milliseconds. TTFT: request sent to first token; ITL: between two events of a stream.',
    )
    .action((url: string | undefined, options: BenchOptions) => bench(gatewayUrl(url), options));
}

async function bench(url: string, options: BenchOptions): Promise<void> {
  const signal = untilInterrupted();
  const results: LoadResult[] = [];
  for (const concurrency of options.concurrency) {
    results.push(
      await runLoad({ url, ...options, concurrency, requests: Math.max(options.requests, concurrency), signal }),
    );
  }
  if (options.json) process.stdout.write(`${JSON.stringify(results, null, 2)}\n`);
  else process.stdout.write(`${report(results)}\n`);
  if (results.some((result) => result.failedRequests > 0)) process.exitCode = 1;
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
      result.ttftMs.p50.toFixed(1),
      result.ttftMs.p99.toFixed(1),
      result.itlMs.p50.toFixed(1),
      result.itlMs.p99.toFixed(1),
      result.e2eMs.p50.toFixed(1),
      result.tokensPerSecond.toFixed(1),
      result.requestsPerSecond.toFixed(1),
    ]),
  );
}

function wholeNumber(text: string): number {
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < 1)
    throw new InvalidArgumentError('expected a whole number, at least 1');
  return number;
}

function wholeNumbers(text: string): number[] {
  return text.split(',').map(wholeNumber);
}
