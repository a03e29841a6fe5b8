import { ServerInterceptingCall, type ServerInterceptor, status } from '@grpc/grpc-js';
import { Injectable } from '@nestjs/common';
import { PUBLIC_PACKAGE } from '#lib/contracts';
import { FailureTranslator } from '../completion/failure-translator.js';
import { GatewayMetrics } from '../observation/gateway-metrics.js';
import { type CallStatus, CLIENT_GONE, conditionOf, countedAs, refusalByLibrary, statusOf } from './public-status.js';

/**
 * How the calls of our services end, whoever ends them: failures have the words of REST in their trailers, and every call is
 * counted once. Other services (health, reflection) are left alone.
 *
 * What grpc-js refuses by itself passes no interceptor. It goes through `sendStatus` of the lowest call all the same, which is
 * the one that the first interceptor is given: that method is replaced. Should grpc-js ever stop using it, such failures have
 * their status and no trailers.
 */
@Injectable()
export class CallEnds {
  constructor(
    private readonly failures: FailureTranslator,
    private readonly metrics: GatewayMetrics,
  ) {}

  readonly intercept: ServerInterceptor = ({ path }, call) => {
    if (!path.startsWith(`/${PUBLIC_PACKAGE}.`)) return new ServerInterceptingCall(call);
    let isCounted = false;
    const count = (ended: CallStatus) => {
      if (isCounted) return;
      isCounted = true;
      this.metrics.answered(path, status[ended.code], countedAs(ended) ?? 'internal_error');
    };
    const send = call.sendStatus.bind(call);
    call.sendStatus = (given) => {
      const ended = this.toPublic(given, path);
      count(ended);
      send(ended);
    };
    return new ServerInterceptingCall(call, {
      start: (next) => next({ onCancel: () => count(CLIENT_GONE) }), // also after every other end, and counted then
    });
  };

  private toPublic(given: CallStatus, route: string): CallStatus {
    if (conditionOf(given) !== undefined) return given;
    const refusal = refusalByLibrary(given);
    return refusal ?? statusOf(this.failures.translate(new Error(given.details), { route, logFields: {} }));
  }
}
