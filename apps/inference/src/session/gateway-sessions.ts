import { once } from 'node:events';
import { Inject, Injectable } from '@nestjs/common';
import { APP_LOGGER, type Logger } from '#lib/observability';
import { WorkerIdentity } from '../worker-identity.js';
import { GatewaySession, type SessionCall } from './gateway-session.js';
import { Generations } from './generations.js';

/** Time that the last messages have to leave, in milliseconds. Chosen: a gateway that is busy reads in it, one that hangs holds up nobody longer. */
const GOODBYE_MS = 5_000;

/** The open sessions. */
@Injectable()
export class GatewaySessions {
  private readonly open = new Map<GatewaySession, SessionCall>();

  constructor(
    private readonly identity: WorkerIdentity,
    private readonly generations: Generations,
    @Inject(APP_LOGGER) private readonly logger: Logger,
  ) {}

  accept(call: SessionCall): void {
    const session: GatewaySession = new GatewaySession(call, this.identity, this.generations, () => {
      this.open.delete(session);
      this.logger.info({ gateway_id: session.gatewayId, peer: call.getPeer() }, 'session ended');
    });
    this.open.set(session, call);
    this.logger.info({ peer: call.getPeer() }, 'session began');
  }

  /** Ends all sessions; what they were told still leaves. */
  async close(): Promise<void> {
    const signal = AbortSignal.timeout(GOODBYE_MS);
    await Promise.all(
      [...this.open].map(async ([session, call]) => {
        const closed = once(call, 'finish', { signal });
        session.leave();
        await closed.catch(() => {}); // a gateway that does not read is left behind
      }),
    );
  }
}
