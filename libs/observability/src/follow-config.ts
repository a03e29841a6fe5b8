import { Counter } from 'prom-client';
import type { Logger } from './logger.js';
import { beginAtZero, readGauge } from './owned-metrics.js';

interface Change {
  readonly path: string;
}

type Outcome =
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'applied'; readonly applied: readonly Change[]; readonly pending: readonly Change[] }
  | { readonly kind: 'refused'; readonly problems: readonly string[] };

/** A configuration whose file may change. */
export interface ReloadableConfig {
  readonly view: { readonly log: { readonly level: string } };
  readonly generation: number;
  readonly pending: readonly Change[];
  reload(): Outcome;
  follow(tell: (outcome: Outcome) => void): void;
}

/** Lets changes of the file count, also on SIGHUP, and says in log lines and metrics what became of them. Once per process. */
export function followConfig(config: ReloadableConfig, logger: Logger): void {
  readGauge(
    'hydra_config_generation',
    'Configurations that were applied in this life of the process, from 1.',
    () => config.generation,
  );
  readGauge(
    'hydra_config_pending_settings',
    'Settings of hydra.yaml that differ from what runs and count with the next start.',
    () => config.pending.length,
  );
  let isRefused = false;
  readGauge(
    'hydra_config_refused',
    'Whether hydra.yaml as last read is not valid, 1 or 0: what ran before goes on, and the next start fails.',
    () => Number(isRefused),
  );
  const reloads = new Counter({
    name: 'hydra_config_reloads_total',
    help: 'Readings of a changed hydra.yaml, by outcome: `applied`, `unchanged`, `refused`.',
    labelNames: ['outcome'] as const,
  });
  beginAtZero(reloads, 'outcome', ['applied', 'unchanged', 'refused'] satisfies Outcome['kind'][]);
  const tell = (outcome: Outcome) => {
    reloads.inc({ outcome: outcome.kind });
    isRefused = outcome.kind === 'refused';
    switch (outcome.kind) {
      case 'applied':
        if (outcome.applied.some(({ path }) => path === 'log.level')) logger.level = config.view.log.level;
        logger.info(
          { generation: config.generation, applied: pathsOf(outcome.applied), needs_restart: pathsOf(outcome.pending) },
          outcome.pending.length === 0
            ? 'the configuration has changed'
            : 'the configuration has changed; some of it counts with the next start only',
        );
        break;
      case 'unchanged':
        logger.info({ generation: config.generation }, 'the configuration was read and says nothing new');
        break;
      case 'refused':
        logger.error({ problems: outcome.problems }, 'the new configuration is not valid: the old one goes on');
        break;
      default:
        outcome satisfies never;
    }
  };
  config.follow(tell);
  process.on('SIGHUP', () => tell(config.reload()));
}

function pathsOf(changes: readonly Change[]): string[] {
  return changes.map(({ path }) => path);
}
