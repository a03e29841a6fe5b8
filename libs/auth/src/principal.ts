/** What a credential may be used for; a key has some of them. */
export const SCOPES = ['inference', 'usage', 'metrics', 'admin'] as const;
export type Scope = (typeof SCOPES)[number];

/** Of a key or token that names none. */
export const DEFAULT_SCOPES: readonly Scope[] = ['inference', 'usage'];

/** Roles that always exist; any other name is a role as soon as a policy gives it something. */
export const BUILT_IN_ROLES = {
  /** Administers every tenant. */
  operator: 'operator',
  /** Administers its own tenant. */
  admin: 'admin',
  /** Uses models. */
  user: 'user',
} as const;

/** Of a subject, which comes into logs. */
export const MAX_SUBJECT_CHARACTERS = 128;

/** Who sends a request, after its credential was checked. */
export interface Principal {
  readonly kind: 'anonymous' | 'api-key' | 'jwt' | 'certificate';
  readonly tenantId: string;
  /** Service account, subject of the token, or name in the certificate. */
  readonly subject: string;
  /** Public part of the key. */
  readonly keyId?: string;
  /** Id of the first of the keys that came of each other by rotation: they have one use of one set of limits. */
  readonly keyLineageId?: string;
  readonly roles: readonly string[];
  readonly scopes: readonly Scope[];
  /** Of the tenant; only equal salts share cached prefixes. Printable ASCII, at most 32 characters. */
  readonly cacheSalt: string;
}

/** Everybody, where authentication is off. */
export const ANONYMOUS: Principal = {
  kind: 'anonymous',
  tenantId: 'anonymous',
  subject: 'anonymous',
  roles: [BUILT_IN_ROLES.user],
  scopes: ['inference', 'metrics'],
  cacheSalt: 'anonymous',
};

/** How logs and the audit log name it; holds nothing secret. */
export function actorOf({ kind, keyId, subject }: Principal): string {
  if (kind === 'anonymous') return kind;
  return kind === 'api-key' ? `key:${keyId}` : `${kind}:${subject}`;
}

export function isScope(word: string): word is Scope {
  return (SCOPES as readonly string[]).includes(word);
}
