import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { eventually } from '../../support/eventually.js';
import { freePort } from '../../support/free-port.js';

type Value = Readonly<{ stringValue?: string; intValue?: string; doubleValue?: number; boolValue?: boolean }>;
type Attributes = readonly Readonly<{ key: string; value: Value }>[];

/** A span as the collector wrote it, in OTLP's JSON. @see https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding */
export interface CollectedSpan {
  readonly service: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly name: string;
  readonly attributes: Readonly<Record<string, Value>>;
}

interface ExportedTraces {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: Attributes };
    readonly scopeSpans: readonly {
      readonly spans: readonly (Omit<CollectedSpan, 'service' | 'attributes'> & { readonly attributes: Attributes })[];
    }[];
  }[];
}

/** The OpenTelemetry Collector on loopback: takes traces by OTLP over HTTP, and writes them to a file. */
export class RunningCollector {
  private constructor(
    readonly endpoint: string,
    private readonly file: string,
    readonly stop: () => Promise<void>,
  ) {}

  static async start(): Promise<RunningCollector> {
    const binary = process.env['HYDRA_TEST_COLLECTOR'];
    if (!binary) throw new Error('HYDRA_TEST_COLLECTOR is not set: run `make test-integration`');
    const folder = mkdtempSync(join(tmpdir(), 'hydra-collector-'));
    const file = join(folder, 'traces.jsonl');
    const config = join(folder, 'collector.yaml');
    const endpoint = `127.0.0.1:${await freePort()}`;
    writeFileSync(
      config,
      stringify({
        receivers: { otlp: { protocols: { http: { endpoint } } } },
        exporters: { file: { path: file, flush_interval: '100ms' } },
        service: {
          telemetry: { metrics: { level: 'none' } },
          pipelines: { traces: { receivers: ['otlp'], exporters: ['file'] } },
        },
      }),
    );
    const child = spawn(binary, ['--config', config], { stdio: ['ignore', 'ignore', 'pipe'] });
    let log = '';
    child.stderr.on('data', (text) => {
      log += text;
    });
    await eventually(() => {
      if (child.exitCode !== null) throw new Error(`the collector ended:\n${log}`);
      return log.includes('Everything is ready') || undefined;
    });
    return new RunningCollector(`http://${endpoint}`, file, async () => {
      if (child.kill('SIGTERM')) await once(child, 'exit');
    });
  }

  /** All that has been written. */
  spans(): CollectedSpan[] {
    if (!existsSync(this.file)) return [];
    const lines = readFileSync(this.file, 'utf8').split('\n').slice(0, -1); // the last one may not be whole yet
    return lines.flatMap((line) => spansOf(JSON.parse(line) as ExportedTraces));
  }
}

function spansOf({ resourceSpans }: ExportedTraces): CollectedSpan[] {
  return resourceSpans.flatMap(({ resource, scopeSpans }) => {
    const service = recordOf(resource.attributes)['service.name']?.stringValue ?? '';
    const spans = scopeSpans.flatMap((scope) => scope.spans);
    return spans.map((span) => ({ ...span, service, attributes: recordOf(span.attributes) }));
  });
}

function recordOf(attributes: Attributes = []): Record<string, Value> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, value]));
}
