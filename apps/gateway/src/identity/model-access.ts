import { Injectable } from '@nestjs/common';
import {
  AuthenticationError,
  decide,
  type ModelAction,
  type Policy,
  type PolicyDecision,
  type Principal,
} from '#lib/auth';
import { ApiError, modelNotFound } from '#lib/openai';
import { Identity } from './identity.js';

/** With which models somebody may do something, and within what caps. */
export type ModelRights = (modelId: string) => PolicyDecision;

/** Looks up what a principal's roles may do. */
@Injectable()
export class ModelAccess {
  constructor(private readonly identity: Identity) {}

  /**
   * @param action  default: to use it
   * @throws ApiError when the tenant is gone or cannot be looked up
   */
  async of(principal: Principal, action: ModelAction = 'use'): Promise<ModelRights> {
    const policies = await this.policiesOf(principal);
    return (modelId) => decide(principal, policies, action, modelId);
  }

  /** @throws ApiError model_not_found for who may not even use the model, else insufficient_permissions */
  async assertMay(principal: Principal, action: ModelAction, modelId: string, name: string): Promise<void> {
    if ((await this.of(principal, action))(modelId).isAllowed) return;
    if (!(await this.of(principal))(modelId).isAllowed) throw modelNotFound(name);
    throw new ApiError('insufficient_permissions', `Your roles do not let you ${action} this model.`, {
      param: 'model',
    });
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
