import { Controller, Get } from '@nestjs/common';
import { HealthCheck, HealthCheckService, HealthIndicatorService } from '@nestjs/terminus';

/** Whether this app can do its work now; each app provides one. */
export abstract class Readiness {
  abstract check(): ReadinessState;
}

export interface ReadinessState {
  /** The app has finished starting; it never goes back. */
  readonly isStarted: boolean;
  /** A request sent now can be answered. */
  readonly isReady: boolean;
  /** Why not, for people; what it can do, otherwise. */
  readonly detail: string;
}

/** The gateway's document describes these routes itself; in the other apps Swagger would take memory for nothing. */
const UNDOCUMENTED = { noCache: true, swaggerDocumentation: false };

/**
 * `/health/live` (the process runs), `/health/startup` (it has started), `/health/ready` (it can answer a request) and, as
 * other servers have it, `/health` for the last.
 */
@Controller('health')
export class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly indicators: HealthIndicatorService,
    private readonly readiness: Readiness,
  ) {}

  @Get('live')
  @HealthCheck(UNDOCUMENTED)
  live() {
    return this.health.check([]);
  }

  @Get('startup')
  @HealthCheck(UNDOCUMENTED)
  startup() {
    const { isStarted, detail } = this.readiness.check();
    return this.health.check([() => this.indicate('startup', isStarted, detail)]);
  }

  @Get(['ready', ''])
  @HealthCheck(UNDOCUMENTED)
  ready() {
    const { isReady, detail } = this.readiness.check();
    return this.health.check([() => this.indicate('ready', isReady, detail)]);
  }

  private indicate(key: string, isUp: boolean, detail: string) {
    const indicator = this.indicators.check(key);
    return isUp ? indicator.up({ detail }) : indicator.down({ detail });
  }
}
