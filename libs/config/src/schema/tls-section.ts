import { z } from 'zod';
import { milliseconds } from './quantities.js';

export const TLS_MODES = ['off', 'on'] as const;

export const tlsSchema = z.enum(TLS_MODES).default('off').meta({
  description:
    '`on`: gateway, scheduler and workers talk to each other in TLS 1.3 with certificates on both sides, see docs/security.md. `off`: in the clear.',
  env: 'HYDRA_TLS',
});

export const certificatesSchema = z.strictObject({
  folder: z.string().min(1).default('certificates').meta({
    description:
      'Folder of `hydra certs`, with `ca.crt` and `SERVICE.crt`, `SERVICE.key` of each service; a relative one is in `storage.folder`.',
    env: 'HYDRA_CERTIFICATES',
  }),
  trustDomain: z
    .string()
    .regex(/^[a-z0-9._-]{1,255}$/, 'expected lower-case letters, digits, `.`, `_` and `-`')
    .default('hydraserve.local')
    .meta({
      description:
        'Certificates name their service by `spiffe://TRUST_DOMAIN/SERVICE/NAME`; those of others are refused.',
      env: 'HYDRA_TRUST_DOMAIN',
    }),
  caFile: z.string().min(1).optional().meta({
    description: 'Authorities that this process believes, in PEM; with the two below instead of the folder.',
    env: 'HYDRA_TLS_CA_FILE',
  }),
  certificateFile: z.string().min(1).optional().meta({
    description: 'Certificate of this process, in PEM.',
    env: 'HYDRA_TLS_CERTIFICATE_FILE',
  }),
  keyFile: z.string().min(1).optional().meta({ description: 'Its private key, in PEM.', env: 'HYDRA_TLS_KEY_FILE' }),
  reloadIntervalMs: milliseconds.default(5_000).meta({
    description: 'Time between looks at the files: new ones count from then on, in milliseconds.',
    env: 'HYDRA_TLS_RELOAD_INTERVAL_MS',
  }),
});

/** TLS of the gateway's own ports, REST and gRPC. */
export const gatewayTlsSchema = z.strictObject({
  certificateFile: z.string().min(1).optional().meta({
    description:
      'Certificate of the gateway for its clients, with its chain, in PEM. Given, REST and gRPC take TLS alone.',
    env: 'HYDRA_GATEWAY_CERTIFICATE_FILE',
  }),
  keyFile: z
    .string()
    .min(1)
    .optional()
    .meta({ description: 'Its private key, in PEM.', env: 'HYDRA_GATEWAY_KEY_FILE' }),
  clientCaFile: z.string().min(1).optional().meta({
    description:
      "Authorities of clients' certificates, in PEM. Given, clients may show one; `auth.clientCertificates` says who they are.",
    env: 'HYDRA_GATEWAY_CLIENT_CA_FILE',
  }),
});
