import { Command } from 'commander';
import { CONFIG_EXIT_CODE, ConfigError } from '#lib/config';
import { productVersion } from '#lib/contracts';
import { addBench } from './commands/bench.js';
import { addCerts } from './commands/certs.js';
import { addChat } from './commands/chat.js';
import { addCompile, addPull } from './commands/compile.js';
import { addConfig } from './commands/config.js';
import { addKeys } from './commands/keys.js';
import { addLogLevel } from './commands/log-level.js';
import { addModels } from './commands/models.js';
import { addPolicies } from './commands/policies.js';
import { addSimulate } from './commands/simulate.js';
import { addStatus } from './commands/status.js';
import { addTenants } from './commands/tenants.js';
import { addTrace } from './commands/trace.js';
import { addUp } from './commands/up.js';
import { addUsage } from './commands/usage.js';
import { INTERRUPTED_EXIT_CODE, InterruptedError } from './terminal/shutdown.js';

const program = new Command('hydra')
  .description('HydraServe: large language models on many machines behind one OpenAI-compatible door')
  .version(productVersion())
  .showHelpAfterError('(hydra --help, or hydra help COMMAND, shows what there is)')
  .addHelpText(
    'after',
    `
First steps:
  hydra up                        the whole platform here, with a real model
  hydra chat "Hello"              talk to it
  hydra status                    watch its workers
  hydra bench --concurrency 1,8   measure it
  HYDRA_MODEL=org/name hydra up   another model from the hub
  HYDRA_MODEL=./folder hydra up   … or from a folder
  HYDRA_ENGINE=mock hydra up      no model at all: ready in seconds

In the repository: npm run --silent hydra -- COMMAND. Every command explains itself: hydra COMMAND --help.`,
  );

const COMMANDS = [
  addUp,
  addModels,
  addPull,
  addCompile,
  addChat,
  addStatus,
  addBench,
  addSimulate,
  addTenants,
  addKeys,
  addPolicies,
  addUsage,
  addTrace,
  addLogLevel,
  addCerts,
  addConfig,
];
for (const add of COMMANDS) add(program);

try {
  await program.parseAsync();
} catch (error) {
  const isConfig = error instanceof ConfigError;
  const lines = isConfig
    ? error.problems
    : [process.env['HYDRA_DEBUG'] ? (error as Error).stack : (error as Error).message];
  for (const line of lines) process.stderr.write(`hydra: ${line}\n`);
  process.exit(isConfig ? CONFIG_EXIT_CODE : error instanceof InterruptedError ? INTERRUPTED_EXIT_CODE : 1);
}
