import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { APP_LOGGER } from './app-logger.js';
import type { Logger } from './logger.js';

/** What a change of the level did in one app. */
export interface LogLevelChange {
  /** Name of the process. */
  readonly app: string;
  readonly level: string;
  readonly before: string;
}

/** Changes the least severity of what this process logs, for good or for a time. A restart takes the configured one. */
@Injectable()
export class LogLevel implements OnApplicationShutdown {
  private revert: NodeJS.Timeout | undefined;
  /** What holds again afterwards. */
  private own: string | undefined;

  constructor(@Inject(APP_LOGGER) private readonly logger: Logger) {}

  /** @param forMs  after which the level from before comes back; 0 for never */
  set(level: string, forMs: number): LogLevelChange {
    clearTimeout(this.revert);
    const before = this.logger.level;
    this.own = forMs > 0 ? (this.own ?? before) : undefined;
    this.logger.level = level;
    if (forMs > 0) this.revert = setTimeout(() => this.goBack(level), forMs).unref();
    return { app: String(this.logger.bindings()['app']), level, before };
  }

  onApplicationShutdown(): void {
    clearTimeout(this.revert);
  }

  /** Unless somebody else has changed it meanwhile. */
  private goBack(from: string): void {
    if (this.own !== undefined && this.logger.level === from) this.logger.level = this.own;
    this.own = undefined;
  }
}
