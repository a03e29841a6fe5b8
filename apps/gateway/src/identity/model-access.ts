import { Injectable } from '@nestjs/common';
import { AuthenticationError, decide, type Policy, type PolicyDecision, type Principal } from '#lib/auth';
import { ApiError } from '#lib/openai';
import { Identity } from './identity.js';

/** Which models a request may use, and within what caps. */
export type ModelRights = (modelId: string) => PolicyDecision;

/** Looks up what a principal's roles may do. */
@Injectable()
export class ModelAccess {
  constructor(private readonly identity: Identity) {}

  /** @throws ApiError when the tenant is gone or cannot be looked up */
  async of(principal: Principal): Promise<ModelRights> {
    const policies = await this.policiesOf(principal);
    return (modelId) => decide(principal, policies, 'use', modelId);
  }

  private async policiesOf({ tenantId, kind }: Principal): Promise<readonly Policy[]> {
    if (this.identity.directory === undefined || kind === 'anonymous') return [];
    try {
      const view = await this.identity.directory.tenant(tenantId);
      if (view !== undefined) return view.policies;
    } catch (cause) {
      if (!(cause instanceof AuthenticationError)) throw cause;
      throw new ApiError('auth_unavailable', 'Permissions cannot be checked at present. Please try again.', { cause });
    }
    throw new ApiError('invalid_api_key', 'Incorrect API key or token provided.'); // gone since it was let in
  }
}
