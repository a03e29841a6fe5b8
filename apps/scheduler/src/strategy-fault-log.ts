import type { Logger } from '#lib/observability';
import type { StrategyFault } from '#lib/placement';

/** Kinds of fault that are told apart. Chosen: a strategy that puts ids into its messages must not fill memory or log. */
const MOST_KINDS = 64;

/** One log line for each kind of fault, however often it comes; the metric counts them all. */
export class StrategyFaultLog {
  private readonly seen = new Set<string>();

  constructor(private readonly logger: Logger) {}

  report({ strategy, modelId: model, cause }: StrategyFault): void {
    const kind = `${strategy}\n${cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause)}`;
    if (this.seen.has(kind) || this.seen.size >= MOST_KINDS) return;
    this.seen.add(kind);
    const error = cause instanceof Error ? cause : new Error(String(cause));
    this.logger.error(
      { strategy, model, error },
      'a placement strategy failed; faults of this kind are only counted on',
    );
  }
}
