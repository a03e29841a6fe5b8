/** Whose answer: a tenant, and a hash of the key that it chose. */
export interface AnswerId {
  readonly tenantId: string;
  readonly keyHash: string;
}

/** What is known of a key: a request that runs, or its answer. */
export interface KnownRequest {
  /** Of the request: the same key with another one is a mistake of the client. */
  readonly fingerprint: string;
  /** The whole answer; absent while the request runs. */
  readonly body?: string;
}

/** A request that was the first with its key, until it is kept or freed. */
export interface ClaimedKey {
  readonly id: AnswerId;
  readonly fingerprint: string;
  /** Random; tells this claim from a later one of the same key. */
  readonly claimId: string;
}

/** Whole answers by tenant and key, for a while and within bounds of number and size: those that are over go first. */
export abstract class AnswerStore {
  /** Notes that a request runs, unless its key is known. @returns what is known of it */
  abstract claim(claim: ClaimedKey): Promise<KnownRequest | undefined>;

  /** Says that the request still runs; called every `CLAIM_RENEWAL_MS`. */
  abstract renew(claim: ClaimedKey): Promise<void>;

  /** Keeps the answer. */
  abstract keep(claim: ClaimedKey, body: string): Promise<void>;

  /** Frees the key of a request that failed. */
  abstract free(claim: ClaimedKey): Promise<void>;
}

export interface AnswerBounds {
  /** How long an answer is kept, in milliseconds. */
  readonly ttlMs: number;
  /** Most bytes of answers that are kept. */
  readonly maxBytes: number;
}

/** Counted for each answer beside its body: hashes and bookkeeping. */
export const ENTRY_BYTES = 512;
export const CLAIM_RENEWAL_MS = 10_000;
