import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import protobuf from 'protobufjs';

/** One span as a collector sees it. */
export interface ReceivedSpan {
  /** `service.name` and `service.instance.id` of the process that sent it. */
  readonly service: string;
  readonly instance: string;
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  /** Empty for the first span of a trace. */
  readonly parentSpanId: string;
  readonly traceState: string;
  readonly kind: 'internal' | 'server' | 'client';
  readonly startUnixNs: bigint;
  readonly endUnixNs: bigint;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly events: readonly { readonly name: string; readonly attributes: Readonly<Record<string, unknown>> }[];
  /** Its status is an error; with this message. */
  readonly error: string | undefined;
}

/** Takes traces as a collector does, by OTLP over HTTP in protobuf. */
export class OtlpReceiver {
  readonly spans: ReceivedSpan[] = [];
  /** Of each request that came. */
  readonly headers: IncomingMessage['headers'][] = [];
  /** What it answers. */
  status = 200;
  private waiters: (() => void)[] = [];

  private constructor(private readonly server: Server) {
    server.on('request', (request: IncomingMessage, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        this.headers.push(request.headers);
        const isTraces = request.method === 'POST' && request.url === '/v1/traces';
        const isTaken = isTraces && request.headers['content-type'] === 'application/x-protobuf' && this.status === 200;
        if (isTaken) this.take(bodyOf(request, Buffer.concat(chunks)));
        response.writeHead(isTraces ? this.status : 404, { 'content-type': 'application/x-protobuf' }).end();
        for (const waiter of this.waiters.splice(0)) waiter();
      });
    });
  }

  static async listen(port = 0): Promise<OtlpReceiver> {
    const server = createServer();
    const receiver = new OtlpReceiver(server);
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    return receiver;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** Resolves when what has come holds what is looked for. */
  async until<T>(look: (spans: readonly ReceivedSpan[]) => T | undefined): Promise<T> {
    for (;;) {
      const found = look(this.spans);
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => this.waiters.push(resolve));
    }
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }

  private take(body: Buffer): void {
    const { resourceSpans } = ExportRequest.toObject(ExportRequest.decode(body), { defaults: true, longs: String }) as {
      resourceSpans: WireResourceSpans[];
    };
    for (const { resource, scopeSpans } of resourceSpans) {
      const process = fromKeyValues(resource.attributes);
      for (const span of scopeSpans.flatMap(({ spans }) => spans)) {
        this.spans.push(toSpan(span, String(process['service.name']), String(process['service.instance.id'])));
      }
    }
  }
}

function bodyOf({ headers }: IncomingMessage, body: Buffer): Buffer {
  return headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body;
}

function toSpan(span: WireSpan, service: string, instance: string): ReceivedSpan {
  return {
    service,
    instance,
    name: span.name,
    traceId: span.traceId.toString('hex'),
    spanId: span.spanId.toString('hex'),
    parentSpanId: span.parentSpanId.toString('hex'),
    traceState: span.traceState,
    kind: (['internal', 'internal', 'server', 'client'] as const)[span.kind] ?? 'internal',
    startUnixNs: BigInt(span.startTimeUnixNano),
    endUnixNs: BigInt(span.endTimeUnixNano),
    attributes: fromKeyValues(span.attributes),
    events: span.events.map(({ name, attributes }) => ({ name, attributes: fromKeyValues(attributes) })),
    error: span.status?.code === 2 ? span.status.message : undefined,
  };
}

function fromKeyValues(pairs: readonly WireKeyValue[]): Record<string, unknown> {
  return Object.fromEntries(pairs.map(({ key, value }) => [key, fromValue(value)]));
}

function fromValue(value: WireValue): unknown {
  const { values } = value.arrayValue ?? {};
  if (values !== undefined) return values.map(fromValue);
  if (value.intValue !== undefined) return Number(value.intValue);
  return value.stringValue ?? value.boolValue ?? value.doubleValue;
}

interface WireValue {
  readonly stringValue?: string;
  readonly boolValue?: boolean;
  readonly intValue?: string;
  readonly doubleValue?: number;
  readonly arrayValue?: { readonly values: readonly WireValue[] };
}
interface WireKeyValue {
  readonly key: string;
  readonly value: WireValue;
}
interface WireSpan {
  readonly traceId: Buffer;
  readonly spanId: Buffer;
  readonly parentSpanId: Buffer;
  readonly traceState: string;
  readonly name: string;
  readonly kind: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly WireKeyValue[];
  readonly events: readonly { readonly name: string; readonly attributes: readonly WireKeyValue[] }[];
  readonly status?: { readonly code: number; readonly message: string } | null;
}
interface WireResourceSpans {
  readonly resource: { readonly attributes: readonly WireKeyValue[] };
  readonly scopeSpans: readonly { readonly spans: readonly WireSpan[] }[];
}

/** The fields looked at. @see https://github.com/open-telemetry/opentelemetry-proto (v1.7.0), `opentelemetry/proto/trace/v1/trace.proto` */
const ExportRequest = protobuf
  .parse(`
    syntax = "proto3";
    message ExportRequest { repeated ResourceSpans resource_spans = 1; }
    message ResourceSpans { Resource resource = 1; repeated ScopeSpans scope_spans = 2; }
    message Resource { repeated KeyValue attributes = 1; }
    message ScopeSpans { repeated Span spans = 2; }
    message Span {
      bytes trace_id = 1; bytes span_id = 2; string trace_state = 3; bytes parent_span_id = 4; string name = 5; int32 kind = 6;
      fixed64 start_time_unix_nano = 7; fixed64 end_time_unix_nano = 8; repeated KeyValue attributes = 9;
      repeated Event events = 11; Status status = 15;
    }
    message Event { fixed64 time_unix_nano = 1; string name = 2; repeated KeyValue attributes = 3; }
    message Status { string message = 2; int32 code = 3; }
    message KeyValue { string key = 1; AnyValue value = 2; }
    message AnyValue {
      oneof value { string string_value = 1; bool bool_value = 2; int64 int_value = 3; double double_value = 4; ArrayValue array_value = 5; }
    }
    message ArrayValue { repeated AnyValue values = 1; }
  `)
  .root.lookupType('ExportRequest');
