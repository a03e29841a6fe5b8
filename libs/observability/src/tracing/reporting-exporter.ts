import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace';
import type { Logger } from '../logger.js';
import type { SpanQueue } from './span-queue.js';

type ExportCallback = Parameters<SpanExporter['export']>[1];

/** `ExportResultCode` of @opentelemetry/core. */
const SUCCESS = 0;

/** Says once that the collector does not take traces, and once that it does again. */
export class ReportingExporter implements SpanExporter {
  private isFailing = false;

  constructor(
    private readonly exporter: SpanExporter,
    private readonly url: string,
    private readonly queue: SpanQueue,
    private readonly logger: Logger,
  ) {}

  export(spans: ReadableSpan[], callback: ExportCallback): void {
    this.exporter.export(spans, (result) => {
      const isTaken = result.code === SUCCESS;
      this.queue.settle(spans.length, isTaken);
      this.report(isTaken, result.error);
      callback({ code: SUCCESS }); // it has been said: nobody else need handle it
    });
  }

  async forceFlush(): Promise<void> {
    await this.exporter.forceFlush?.();
  }

  shutdown(): Promise<void> {
    return this.exporter.shutdown();
  }

  private report(isTaken: boolean, error: Error | undefined): void {
    if (isTaken !== this.isFailing) return;
    this.isFailing = !isTaken;
    const fields = { url: withoutSecrets(this.url), reason: error?.message };
    if (isTaken) this.logger.info(fields, 'the collector takes traces again');
    else this.logger.warn(fields, 'the collector does not take traces: they are dropped until it does');
  }
}

/** Without a user, a password or a query. */
function withoutSecrets(url: string): string {
  if (!URL.canParse(url)) return 'not a URL';
  const { origin, pathname } = new URL(url);
  return `${origin}${pathname}`;
}
