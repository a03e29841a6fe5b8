import { Injectable } from '@nestjs/common';
import { AuthenticationError, type Principal, type StoredLimits } from '#lib/auth';
import type { LimitedSubject } from '#lib/limits';
import { ApiError } from '#lib/openai';
import { Identity } from '../identity/identity.js';

/** Whose limits a request must be within. */
@Injectable()
export class LimitSubjects {
  constructor(private readonly identity: Identity) {}

  /** Of its tenant and its key, with each model and with all together. @throws ApiError when they cannot be looked up */
  async of({ tenantId, keyLineageId }: Principal): Promise<readonly LimitedSubject[]> {
    try {
      const limits = (await this.identity.directory?.tenant(tenantId))?.limits ?? [];
      return limits.filter((stored) => stored.keyId === undefined || stored.keyId === keyLineageId).map(toSubject);
    } catch (cause) {
      if (!(cause instanceof AuthenticationError)) throw cause;
      throw new ApiError('auth_unavailable', 'Limits cannot be looked up at present. Please try again.', { cause });
    }
  }
}

/** Made once for what is stored. */
const subjects = new WeakMap<StoredLimits, LimitedSubject>();

function toSubject(stored: StoredLimits): LimitedSubject {
  let subject = subjects.get(stored);
  if (subject === undefined) {
    subject = newSubject(stored);
    subjects.set(stored, subject);
  }
  return subject;
}

function newSubject({ keyId, modelId, limits }: StoredLimits): LimitedSubject {
  const words = [keyId && `key=${keyId}`, modelId && `model=${encodeURIComponent(modelId)}`];
  return { id: words.filter(Boolean).join(',') || 'all', keyId, modelId, limits };
}
