import { ApiProperty } from '@nestjs/swagger';
import type { RecordedSpan, RequestRecord } from '#lib/contracts';
import type { RequestStory } from './fleet-operations.js';

/** The load of workers, which all tenants share: for operators. */
const ABOUT_THE_FLEET = new Set(['candidate']);

const OBJECT = { type: 'object', additionalProperties: true } as const;

/** Something that happened at one moment. */
class EventResource {
  @ApiProperty() readonly name!: string;
  @ApiProperty({ description: 'Milliseconds since the beginning of the span.' }) readonly offset_ms!: number;
  @ApiProperty(OBJECT) readonly attributes!: object;
}

/** Something that took time. */
class SpanResource {
  @ApiProperty({ description: '`gateway`, `scheduler`, `kvcache`, or the id of a worker.' }) readonly app: string;
  @ApiProperty() readonly name: string;
  @ApiProperty() readonly span_id: string;
  @ApiProperty({ description: 'Empty for the first span of a trace.' }) readonly parent_span_id: string;
  @ApiProperty({ description: 'Milliseconds since the Unix epoch, by the clock of its machine.' })
  readonly start_ms: number;
  @ApiProperty({ description: 'Until now when it is open.' }) readonly duration_ms: number;
  @ApiProperty({ description: 'Whether it goes on.' }) readonly open: boolean;
  @ApiProperty({ type: String, nullable: true, description: 'The word for how it failed.' })
  readonly error: string | null;
  @ApiProperty({ type: String, nullable: true }) readonly error_message: string | null;
  @ApiProperty(OBJECT) readonly attributes: object;
  @ApiProperty({ type: [EventResource] }) readonly events: readonly EventResource[];

  constructor(app: string, span: RecordedSpan, showsFleet: boolean) {
    this.app = app;
    this.name = span.name;
    this.span_id = span.spanId;
    this.parent_span_id = span.parentSpanId;
    this.start_ms = span.startUnixUs / 1_000;
    this.duration_ms = span.durationUs / 1_000;
    this.open = span.isOpen;
    this.error = span.errorType || null;
    this.error_message = span.errorMessage || null;
    this.attributes = values(span.attributes);
    this.events = span.events
      .filter(({ name }) => showsFleet || !ABOUT_THE_FLEET.has(name))
      .map(({ name, offsetUs, attributes }) => ({
        name,
        offset_ms: offsetUs / 1_000,
        attributes: values(attributes),
      }));
  }
}

/** One request, or several under one id of a client's. */
export class StoryResource {
  @ApiProperty({ enum: ['request_story'] }) readonly object = 'request_story';
  @ApiProperty({ type: [String] }) readonly request_ids: readonly string[];
  @ApiProperty({ type: [String] }) readonly trace_ids: readonly string[];
  @ApiProperty({ type: [String] }) readonly generation_ids: readonly string[];
  @ApiProperty({ type: [String] }) readonly tenants: readonly string[];
  @ApiProperty({ type: [SpanResource], description: 'Of all apps, in the order of their beginnings.' })
  readonly spans: readonly SpanResource[];
  @ApiProperty({ description: 'Spans that were too many to be remembered.' }) readonly dropped_spans: number;
  @ApiProperty({ type: [String], description: 'Apps that did not answer: what they remember is missing.' })
  readonly unreachable: readonly string[];

  constructor({ records, unreachable }: RequestStory, showsFleet: boolean) {
    this.request_ids = unique(records, ({ requestId }) => [requestId]);
    this.trace_ids = unique(records, ({ traceId }) => [traceId]);
    this.generation_ids = unique(records, ({ generationIds }) => generationIds);
    this.tenants = unique(records, ({ tenantId }) => [tenantId]);
    this.spans = records
      .flatMap(({ app, spans }) => spans.map((span) => new SpanResource(app, span, showsFleet)))
      .sort((a, b) => a.start_ms - b.start_ms);
    this.dropped_spans = records.reduce((sum, { droppedSpans }) => sum + droppedSpans, 0);
    this.unreachable = unreachable;
  }
}

function unique(records: readonly RequestRecord[], idsOf: (record: RequestRecord) => readonly string[]): string[] {
  return [...new Set(records.flatMap(idsOf))];
}

function values(attributes: Readonly<Record<string, string>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(attributes).map(([name, json]) => [name, JSON.parse(json)]));
}
