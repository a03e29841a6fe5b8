import { type ChannelSecurity, clientChannelOptions, LastingStream } from '#lib/channels';
import { type CacheEvent, type CacheRegistration, FleetClient, type FleetDirective } from '#lib/contracts';
import type { KvEventLog, KvEventReader } from '#lib/kv-transfer';
import type { Logger } from '#lib/observability';

export interface AnnouncementParts {
  readonly security: ChannelSecurity;
  readonly logger: Logger;
  readonly kvEvents: KvEventLog;
  registration(): CacheRegistration;
  /** The scheduler says how often it wants to hear something, in milliseconds. */
  accepted(reportIntervalMs: number): void;
}

/** What one scheduler is told of this cache: announced while it is to be, again for ever when the stream is lost. */
export class SchedulerAnnouncement {
  private readonly news: KvEventReader;
  private readonly stream: LastingStream<CacheEvent, FleetDirective>;

  /** @param onNews  called when there are changes to be told */
  constructor(
    target: string,
    private readonly parts: AnnouncementParts,
    onNews: () => void,
  ) {
    this.news = parts.kvEvents.read(onNews);
    this.stream = new LastingStream({
      open: () => {
        const client = new FleetClient(target, parts.security.credentialsFor('scheduler'), clientChannelOptions());
        return { call: client.announce(), close: () => client.close() };
      },
      opened: () => {
        this.send({ $case: 'registration', value: parts.registration() });
        this.send({ $case: 'kvEvents', value: this.news.take() }); // a scheduler that knows less asks for the rest
      },
      received: (directive) => this.obey(directive),
      lost: ({ reason, retryMs, isNews }) => {
        const fields = { scheduler: target, retry_ms: retryMs };
        parts.logger[isNews ? 'warn' : 'debug'](fields, `no scheduler knows what is held: ${reason}`);
      },
    });
  }

  /** The scheduler follows what is held. */
  get isFollowed(): boolean {
    return this.stream.isAccepted;
  }

  begin(): void {
    this.stream.start();
  }

  end(): void {
    this.stream.stop();
  }

  /** Changes wait in their log, which is bounded, for a scheduler that does not read. @param isDue  something is said in any case */
  tell(isDue: boolean): void {
    if (this.stream.isWritable && (isDue || this.news.hasNews))
      this.send({ $case: 'kvEvents', value: this.news.take() });
  }

  private obey({ directive }: FleetDirective): void {
    switch (directive?.$case) {
      case 'accepted':
        this.stream.accept();
        this.parts.logger.info({ scheduler_id: directive.value.schedulerId }, 'a scheduler follows what is held');
        this.parts.accepted(directive.value.reportIntervalMs);
        return;
      case 'requestKvSnapshot':
        for (const part of this.news.snapshot()) this.send({ $case: 'kvEvents', value: part });
        return;
      case 'superseded': // the later life tells what it holds; who asks this one is served still
        this.parts.logger.warn({ by_epoch: directive.value.byEpoch }, 'a later life of this cache has come');
        this.stream.stop();
        return;
      default: // for workers, or of a later revision
    }
  }

  private send(event: NonNullable<CacheEvent['event']>): void {
    this.stream.send({ event });
  }
}
