/** As `GET /v1/admin/traces/{id}` answers. */
export interface Story {
  readonly request_ids: readonly string[];
  readonly trace_ids: readonly string[];
  readonly generation_ids: readonly string[];
  readonly tenants: readonly string[];
  readonly spans: readonly StorySpan[];
  readonly dropped_spans: number;
  readonly unreachable: readonly string[];
}

export interface StorySpan {
  readonly app: string;
  readonly name: string;
  readonly span_id: string;
  readonly parent_span_id: string;
  readonly start_ms: number;
  readonly duration_ms: number;
  readonly open: boolean;
  readonly error: string | null;
  readonly error_message: string | null;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly events: readonly {
    readonly name: string;
    readonly offset_ms: number;
    readonly attributes: Readonly<Record<string, unknown>>;
  }[];
}

const TIME_COLUMNS = 11;
/** Said at the top, or of no use to people. */
const UNTOLD = /^(hydra\.(request|tenant|generation)\.|gen_ai\.(provider|operation|response\.(model|id)))/;

/** A story for people: one line per span, indented below what asked for it, with what happened in it. */
export function storyText(story: Story): string {
  const start = Math.min(...story.spans.map(({ start_ms }) => start_ms));
  const ids = new Set(story.spans.map(({ span_id }) => span_id));
  const tops = story.spans.filter(({ parent_span_id }) => !ids.has(parent_span_id));
  return [
    `request ${story.request_ids.join(', ')}   tenant ${story.tenants.join(', ')}`,
    `trace ${story.trace_ids.join(', ')}`,
    ...(story.generation_ids.length > 0 ? [`generation ${story.generation_ids.join(', ')}`] : []),
    ...(Number.isFinite(start) ? [`began ${new Date(start).toISOString()}`] : []),
    '',
    `${'at ms'.padStart(TIME_COLUMNS)}${'took ms'.padStart(TIME_COLUMNS)}`,
    ...tops.flatMap((span) => linesOf(span, story, start, 0)),
    ...(story.dropped_spans > 0 ? ['', `${story.dropped_spans} further spans were not remembered`] : []),
    ...story.unreachable.map((target) => `no answer from ${target}: what it remembers is missing`),
  ].join('\n');
}

function linesOf(span: StorySpan, story: Story, start: number, depth: number): string[] {
  const indent = '  '.repeat(depth);
  const took = span.open ? `${shownMs(span.duration_ms)} …` : shownMs(span.duration_ms);
  const failed = span.error === null ? '' : `  FAILED ${[span.error, span.error_message].filter(Boolean).join(': ')}`;
  const head = `${shownMs(span.start_ms - start).padStart(TIME_COLUMNS)}${took.padStart(TIME_COLUMNS)}  ${indent}`;
  const events = span.events.map(({ name, offset_ms, attributes }) => {
    const at = shownMs(span.start_ms + offset_ms - start).padStart(TIME_COLUMNS);
    return `${at}${' '.repeat(TIME_COLUMNS)}  ${indent}  · ${name}${shownAttributes(attributes)}`;
  });
  const children = story.spans.filter(({ parent_span_id }) => parent_span_id === span.span_id);
  return [
    `${head}${span.app} ${span.name}${shownAttributes(span.attributes)}${failed}`,
    ...events,
    ...children.flatMap((child) => linesOf(child, story, start, depth + 1)),
  ];
}

/** Names without what they have in common. */
function shownAttributes(attributes: Readonly<Record<string, unknown>>): string {
  return Object.entries(attributes)
    .filter(([name]) => !UNTOLD.test(name))
    .map(([name, value]) => `  ${name.replace(/^(hydra|gen_ai)\.(placement\.)?/, '')}=${shownValue(value)}`)
    .join('');
}

function shownValue(value: unknown): string {
  if (Array.isArray(value)) return value.join(',');
  return typeof value === 'number' ? String(Math.round(value * 1_000) / 1_000) : String(value);
}

function shownMs(ms: number): string {
  return ms.toFixed(1);
}
