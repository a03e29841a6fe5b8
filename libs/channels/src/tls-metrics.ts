import { Counter, Gauge, register } from 'prom-client';
import type { TlsIdentity } from '#lib/certificates';
import type { TlsRefusal } from './tls-refusal.js';

const REFUSED = 'hydra_tls_refused_total';
const EXPIRY = 'hydra_certificate_expiry_timestamp_seconds';

/** Of one process, whatever listens in it. Names are an interface, documented in docs/security.md. */
export class TlsMetrics {
  private readonly refusals =
    (register.getSingleMetric(REFUSED) as Counter<'reason'> | undefined) ??
    new Counter({
      name: REFUSED,
      help: 'Connections and calls refused for their TLS or their certificate, by either end.',
      labelNames: ['reason'] as const,
    });
  private readonly expiry =
    (register.getSingleMetric(EXPIRY) as Gauge<'file'> | undefined) ??
    new Gauge({
      name: EXPIRY,
      help: 'When the first certificate of a file ends, in seconds since the Unix epoch.',
      labelNames: ['file'] as const,
    });

  refused(reason: TlsRefusal): void {
    this.refusals.inc({ reason });
  }

  /** Shows when the files end, for as long as they are followed. */
  watch(identity: TlsIdentity): void {
    identity.follow(({ notAfterMs }) => {
      for (const [file, ms] of notAfterMs) this.expiry.set({ file }, ms / 1_000);
    });
  }
}
