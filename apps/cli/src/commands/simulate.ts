import { writeFile } from 'node:fs/promises';
import { type Command, Option } from 'commander';
import { EVICTIONS, type Eviction } from '#lib/kv';
import {
  createStrategy,
  DEFAULT_STRATEGY_OPTIONS,
  PREFILL_ORDERS,
  PredictedTtftStrategy,
  type PrefillOrder,
  parseStrategyName,
  STRATEGY_NAMES,
} from '#lib/placement';
import {
  POOLED,
  parseWorkerModel,
  type Simulation,
  scaleTrace,
  simulate,
  TRACE_FORMATS,
  type TraceFormat,
} from '#lib/simulator';
import { decisionsCsv } from '../simulate/decisions-csv.js';
import { readJsonFile, readTrace } from '../simulate/read-inputs.js';
import { resultsTable } from '../simulate/results-table.js';
import { ttftChart } from '../simulate/ttft-chart.js';
import { positiveNumber, wholeNumber, wholeNumberOrZero } from '../terminal/number-options.js';

/** Chosen: what the placement's index of blocks holds in a gigabyte. */
const MOST_BLOCKS = 10_000_000;

/** Chosen: what the requests of a simulation take is then some gigabytes. */
const MOST_REQUESTS = 10_000_000;
/** Chosen: microseconds are still told apart at the end of such a trace. */
const LONGEST_S = 1e10;

interface SimulateOptions {
  readonly trace: string;
  readonly format: TraceFormat;
  readonly workers: number;
  readonly strategy: readonly string[];
  readonly copies: number;
  readonly speedup: number;
  readonly seed: number;
  readonly kvBlocks?: number;
  readonly order: PrefillOrder;
  readonly eviction: Eviction;
  readonly reportInterval?: number;
  readonly model?: string;
  readonly decisions?: string;
  readonly cdf?: string;
  readonly json: boolean;
}

export function addSimulate(program: Command): void {
  program
    .command('simulate')
    .description('replay a trace of requests through the placement strategies, in virtual time')
    .requiredOption('--trace <file>', 'requests; .gz is unpacked')
    .addOption(new Option('--format <format>', 'of the trace').choices(TRACE_FORMATS).makeOptionMandatory())
    .requiredOption('--workers <n>', 'simulated workers', wholeNumber)
    .requiredOption('--strategy <names>', `one or more of ${STRATEGY_NAMES.join(', ')}; pooled; or all`, strategyNames)
    .option('--copies <n>', 'the trace this often, shifted', wholeNumber, 1)
    .option('--speedup <factor>', 'all times divided by it', positiveNumber, 1)
    .option('--seed <n>', 'of what strategies draw', wholeNumberOrZero, 1)
    .option('--kv-blocks <n>', "KV blocks of a worker; default: the model's", wholeNumber)
    .addOption(
      new Option('--order <order>', 'in which workers compute prompts').choices(PREFILL_ORDERS).default('fifo'),
    )
    .addOption(
      new Option('--eviction <policy>', 'which cached blocks go first')
        .choices(EVICTIONS)
        .default('lru' satisfies Eviction),
    )
    .option('--report-interval <ms>', 'workers report this often; default: each step', positiveNumber)
    .option('--model <file>', 'JSON with the constants of a worker; default: one H100 with an 8B model')
    .option('--decisions <file>', 'write each decision as CSV (one strategy)')
    .option('--cdf <file>', 'draw the distributions of TTFT as SVG')
    .option('--json', 'print JSON and nothing else', false)
    .addHelpText(
      'after',
      `
Times are in seconds of the simulated clock. Equal arguments give equal figures, but for decision_us.

Examples:
  hydra simulate --trace chats.jsonl.gz --format mooncake --workers 8 --strategy all
  hydra simulate --trace chats.jsonl.gz --format mooncake --workers 16 --copies 2 --speedup 2.8 --strategy least-loaded --json`,
    )
    .action(simulateCommand);
}

async function simulateCommand(options: SimulateOptions): Promise<void> {
  if (options.decisions !== undefined && options.strategy.length > 1) {
    throw new Error('--decisions takes one strategy, not several');
  }
  const fileModel = parseWorkerModel(options.model === undefined ? {} : await readJsonFile(options.model));
  const model = { ...fileModel, kvBlocks: options.kvBlocks ?? fileModel.kvBlocks };
  if (options.workers * model.kvBlocks > MOST_BLOCKS) {
    throw new Error(
      `--workers times --kv-blocks: expected at most ${MOST_BLOCKS}, got ${options.workers * model.kvBlocks}`,
    );
  }
  const requests = await readTrace(options.trace, options.format, model.blockTokens);
  if (requests.length * options.copies > MOST_REQUESTS) {
    throw new Error(`--copies times the trace's ${requests.length} requests: expected at most ${MOST_REQUESTS}`);
  }
  const trace = scaleTrace(requests, options.copies, options.speedup);
  if (!(trace.durationS <= LONGEST_S)) {
    throw new Error(`--speedup: expected one that makes the trace at most ${LONGEST_S} s long, got ${trace.durationS}`);
  }
  const { workers, seed, order, eviction } = options;
  const reportIntervalS = options.reportInterval === undefined ? undefined : options.reportInterval / 1_000;
  const simulations: Simulation[] = [];
  for (const name of options.strategy) {
    const isPooled = name === POOLED;
    const strategy = isPooled
      ? new PredictedTtftStrategy({ isSelfish: true })
      : createStrategy(parseStrategyName(name), DEFAULT_STRATEGY_OPTIONS);
    const clockUs = () => performance.now() * 1_000;
    simulations.push(
      simulate({ trace, workers, strategy, seed, order, eviction, model, reportIntervalS, clockUs, isPooled }),
    );
  }
  const results = simulations.map(({ result }) => result);
  if (options.decisions !== undefined) await writeFile(options.decisions, decisionsCsv(simulations[0]!.requests));
  if (options.cdf !== undefined) await writeFile(options.cdf, ttftChart(simulations));
  if (options.json)
    process.stdout.write(`${JSON.stringify(results.length === 1 ? results[0] : { results }, null, 2)}\n`);
  else process.stdout.write(`${resultsTable(results)}\n`);
}

/** `least-loaded,round-robin`, `all`; `pooled` is a reference, not a strategy of the product. */
function strategyNames(text: string): string[] {
  if (text === 'all') return [...STRATEGY_NAMES, POOLED];
  return text.split(',').map((name) => (name === POOLED ? name : parseStrategyName(name)));
}
