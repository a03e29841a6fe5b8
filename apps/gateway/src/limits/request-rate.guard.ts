import { type ExecutionContext, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import {
  InjectThrottlerOptions,
  InjectThrottlerStorage,
  ThrottlerGuard,
  type ThrottlerModuleOptions,
  type ThrottlerStorage,
} from '@nestjs/throttler';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { LimitStates } from '#lib/limits';
import { principalOf } from '../identity/rest-authentication.js';
import { noteCounted } from './counted-request.js';
import { withLimits } from './limit-headers.js';
import { LimitSubjects } from './limit-subjects.js';
import { RequestRates } from './request-rates.js';

/**
 * The throttler before REST's inference routes: counts a request for its tenant and its key before its body is parsed. Which
 * model it asks for is not known yet; that is counted when it is, as are calls of gRPC, in the same storage.
 */
@Injectable()
export class RequestRateGuard extends ThrottlerGuard {
  constructor(
    @InjectThrottlerOptions() options: ThrottlerModuleOptions,
    @InjectThrottlerStorage() storage: ThrottlerStorage,
    reflector: Reflector,
    private readonly subjects: LimitSubjects,
    private readonly rates: RequestRates,
  ) {
    super(options, storage, reflector);
  }

  /** The one throttler, and no decorators that change it: what stands in them is not looked up for each request. */
  override canActivate(context: ExecutionContext): Promise<boolean> {
    return this.handleRequest({ context });
  }

  /** With a limit for each subject. */
  protected override async handleRequest({ context }: { readonly context: ExecutionContext }): Promise<boolean> {
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    const reply = context.switchToHttp().getResponse<FastifyReply>();
    const principal = principalOf(request);
    const subjects = await this.subjects.of(principal);
    const ofAnyModel = subjects.filter(({ modelId }) => modelId === undefined);
    const counted: { limits: LimitStates } = { limits: { requests: undefined, tokens: undefined } };
    await withLimits(counted, reply, () =>
      this.rates.count(principal.tenantId, ofAnyModel, (requests) => {
        counted.limits = { requests, tokens: undefined };
      }),
    );
    noteCounted(request, { subjects, state: counted.limits.requests });
    return true;
  }
}
