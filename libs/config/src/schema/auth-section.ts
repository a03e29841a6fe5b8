import { z } from 'zod';
import { count, milliseconds } from './quantities.js';

export const AUTH_MODES = ['off', 'required'] as const;
/** Asymmetric ones only: with a shared secret, the public key of an issuer would be a key to sign with. */
export const JWT_ALGORITHMS = [
  ...(['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'] as const),
  ...(['ES256', 'ES384', 'ES512', 'EdDSA'] as const),
] as const;

/** What a credential may be used for. */
const SCOPES = ['inference', 'usage', 'metrics', 'admin'] as const;

const jwtIssuerSchema = z.strictObject({
  issuer: z.string().min(1).describe('`iss` of its tokens, exactly.'),
  audience: z.string().min(1).describe('What `aud` must hold.'),
  jwksUri: z
    .string()
    .min(1)
    .optional()
    .describe('Where its public keys are fetched: `https://`, or `http://` on loopback. Keys may rotate at any time.'),
  jwksFile: z.string().min(1).optional().describe('Instead of `jwksUri`: a file with a JSON Web Key Set.'),
  algorithms: z
    .array(z.enum(JWT_ALGORITHMS))
    .min(1)
    .default(['RS256', 'ES256', 'EdDSA'])
    .describe(`Signatures that are accepted, of ${JWT_ALGORITHMS.map((name) => `\`${name}\``).join(', ')}.`),
  clockSkewMs: z
    .number()
    .int()
    .min(0)
    .max(300_000)
    .default(5_000)
    .describe("By how much the issuer's clock may differ, in milliseconds."),
  tenantClaim: z.string().min(1).default('tenant').describe("Claim with the tenant's id; the tenant must exist."),
  rolesClaim: z
    .string()
    .min(1)
    .default('roles')
    .describe('Claim with roles: an array, or words apart by spaces. Without the claim: `user`.'),
  roles: z
    .array(z.string())
    .default(['user'])
    .describe('Roles that this issuer may give; others are dropped. Who may give `operator` may do everything.'),
  scopes: z
    .array(z.enum(SCOPES))
    .default(['inference', 'usage', 'admin'])
    .describe('Scopes that this issuer may give; others are dropped. `metrics` shows all tenants.'),
});

const clientCertificateSchema = z.strictObject({
  name: z
    .string()
    .regex(/^(URI|DNS|email):./, 'expected a name like `URI:spiffe://example.org/client/alice`')
    .describe(
      'Alternative name that the certificate must have: `URI:…`, `DNS:…` or `email:…`; `*` stands for any characters. The first entry that fits counts.',
    ),
  tenant: z.string().min(1).describe('Id of the tenant that it belongs to; the tenant must exist.'),
  roles: z.array(z.string()).default(['user']).describe('Its roles.'),
  scopes: z.array(z.enum(SCOPES)).default(['inference', 'usage']).describe('Its scopes.'),
});

export const authSchema = z.strictObject({
  mode: z.enum(AUTH_MODES).default('off').meta({
    description:
      '`required`: every request needs a key or a token, see docs/auth.md. `off`: everybody is let in, on loopback only.',
    env: 'HYDRA_AUTH',
  }),
  jwt: z.array(jwtIssuerSchema).default([]).describe('Issuers whose JSON Web Tokens are accepted beside keys.'),
  clientCertificates: z
    .array(clientCertificateSchema)
    .default([])
    .describe('Who clients are by their certificates, where `gateway.tls.clientCaFile` lets them show one.'),
  cacheEntries: count
    .default(10_000)
    .describe('Keys, and tenants, kept in memory, so that a request asks no database.'),
  refreshIntervalMs: milliseconds
    .default(1_000)
    .describe('Longest time until a gateway sees what was changed through another one, in milliseconds.'),
  outageGraceMs: milliseconds
    .default(60_000)
    .describe(
      'How long keys in memory stay good while the database cannot be reached, in milliseconds; then nobody is let in.',
    ),
  freeFailures: z
    .number()
    .int()
    .min(0)
    .default(10)
    .describe('Bad credentials that an address may send; each further one makes it wait, 1 s to 60 s.'),
});
