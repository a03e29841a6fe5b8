import { Counter, Gauge, register } from 'prom-client';
import type { TlsIdentity } from '#lib/certificates';
import { beginAtZero } from '#lib/observability';
import { TLS_REFUSALS, type TlsRefusal } from './tls-refusal.js';

const REFUSED = 'hydra_tls_refused_total';
const BEGIN = 'hydra_certificate_begin_timestamp_seconds';
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
  private readonly begin = fileGauge(
    BEGIN,
    'When the oldest certificate of a file began, in seconds since the Unix epoch.',
  );
  private readonly expiry = fileGauge(
    EXPIRY,
    'When the first certificate of a file ends, in seconds since the Unix epoch.',
  );

  constructor() {
    beginAtZero(this.refusals, 'reason', TLS_REFUSALS);
  }

  refused(reason: TlsRefusal): void {
    this.refusals.inc({ reason });
  }

  /** Shows when the files began and end, for as long as they are followed. */
  watch(identity: TlsIdentity): void {
    identity.follow(({ validity }) => {
      for (const [file, { notBeforeMs, notAfterMs }] of validity) {
        this.begin.set({ file }, notBeforeMs / 1_000);
        this.expiry.set({ file }, notAfterMs / 1_000);
      }
    });
  }
}

function fileGauge(name: string, help: string): Gauge<'file'> {
  const known = register.getSingleMetric(name) as Gauge<'file'> | undefined;
  return known ?? new Gauge({ name, help, labelNames: ['file'] as const });
}
