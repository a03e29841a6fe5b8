import { status } from '@grpc/grpc-js';
import { Inject, Injectable } from '@nestjs/common';
import { RpcException } from '@nestjs/microservices';
import type { PlaceRequest, PlaceResponse } from '#lib/contracts';
import { APP_LOGGER, generationFields, type Logger, type RequestRecord, Tracing } from '#lib/observability';
import type { PlacementRequest } from '#lib/placement';
import type { DeskAnswer } from './askers.js';
import { fromPlaceRequest, InvalidPlaceRequestError } from './place-request.js';
import { toPlaceResponse } from './place-response.js';
import { PlacementDesk } from './placement-desk.js';
import { beginPlacement, endPlacement } from './placement-span.js';

/** Before the caller's deadline, so that a refusal arrives instead of a bare DEADLINE_EXCEEDED; at most a tenth of the wait. */
const ANSWER_MARGIN_MS = 50;

/** A question for a place under way, whichever way it came. */
export interface OpenPlaceCall {
  /** Rejects with an RpcException. */
  readonly answer: Promise<PlaceResponse>;
  /** The caller left: gives up its place in the queue. */
  abandon(): void;
}

/** Brings questions for places from the wire to the desk, and answers back. */
@Injectable()
export class PlaceCalls {
  constructor(
    private readonly desk: PlacementDesk,
    private readonly tracing: Tracing,
    @Inject(APP_LOGGER) private readonly logger: Logger,
  ) {}

  /**
   * @param timeoutMs  how long the caller waits
   * @throws RpcException for a request that makes no sense
   */
  open(wire: PlaceRequest, timeoutMs: number): OpenPlaceCall {
    const longestWaitMs = timeoutMs - Math.min(ANSWER_MARGIN_MS, timeoutMs / 10);
    const request = parsed(wire);
    const record = beginPlacement(this.tracing, wire);
    const ticket = this.desk.place(request, longestWaitMs, wire.asksOthers, record.exemplar);
    return {
      answer: ticket.answer.then((answer) => this.answered(wire, answer, record)),
      abandon: () => {
        ticket.abandon();
        record.close();
      },
    };
  }

  private answered(wire: PlaceRequest, answer: DeskAnswer, record: RequestRecord): PlaceResponse {
    this.log(wire, answer);
    endPlacement(this.tracing, record, answer);
    const response = toPlaceResponse(answer, this.desk.leases.leaseTtlMs, wire.explain);
    if (response !== undefined) return response;
    throw new RpcException({ code: status.ABORTED, message: 'the generation asked for a place again' });
  }

  private log(wire: PlaceRequest, answer: DeskAnswer): void {
    if (answer.kind === 'redirected') {
      this.logger.debug({ ...generationFields(wire), model: wire.modelId, owner: answer.target }, 'request redirected');
      return;
    }
    const waited_ms = Math.round(answer.waitedMs * 1_000) / 1_000;
    const about = { ...generationFields(wire), model: wire.modelId, attempt: wire.attempt, waited_ms };
    if (answer.kind === 'placed') {
      const { strategy, lease } = answer;
      this.logger.debug({ ...about, strategy, worker: lease.workerId, lease: lease.leaseId }, 'request placed');
    } else {
      const { reason, message, retryAfterMs: retry_after_ms } = answer.refusal;
      this.logger.info({ ...about, reason, why: message, retry_after_ms }, 'request refused');
    }
  }
}

function parsed(wire: PlaceRequest): PlacementRequest {
  try {
    return fromPlaceRequest(wire);
  } catch (error) {
    if (!(error instanceof InvalidPlaceRequestError)) throw error;
    throw new RpcException({ code: status.INVALID_ARGUMENT, message: error.message });
  }
}
