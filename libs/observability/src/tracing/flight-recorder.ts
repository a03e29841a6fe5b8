import type { SpanKind } from './recorded-span.js';
import { type RecordKeeper, type RequestOrigin, RequestRecord } from './request-record.js';

export interface FlightRecorderOptions {
  /** Most memory of what is over; 0 remembers nothing. */
  readonly bytes: number;
  /** Takes records whose traces are kept, when they are over. */
  readonly onKeep: (record: RequestRecord) => void;
}

/** Places at the front of the queue that may be empty before it is moved up. */
const MOST_EMPTY_PLACES = 1_024;

/**
 * What an app remembers of its last requests, running ones included: the story that `hydra trace` tells, and the spans of
 * traces that turn out to be worth keeping. Bounded by bytes; the oldest goes first.
 */
export class FlightRecorder {
  /** Oldest first; those before `head` are gone. */
  private readonly queue: (RequestRecord | undefined)[] = [];
  private head = 0;
  private readonly byName = new Map<string, RequestRecord>();
  private heldBytes = 0;
  private readonly keeper: RecordKeeper;

  constructor(private readonly options: FlightRecorderOptions) {
    this.keeper = {
      closed: (record) => {
        if (options.bytes === 0) this.forgetNames(record);
        else this.makeRoomFor(record);
      },
      kept: options.onKeep,
    };
  }

  /** Begins a request with its first span. */
  begin(origin: RequestOrigin, name: string, kind: SpanKind, startMs = performance.now()): RequestRecord {
    const record = new RequestRecord(origin, name, kind, startMs, this.keeper);
    if (this.options.bytes > 0) this.queue.push(record);
    return record;
  }

  /** Has a record found at once by a further name of its own: the id of a lease. */
  name(record: RequestRecord, name: string): void {
    record.names.push(name);
    this.byName.set(name, record);
  }

  named(name: string): RequestRecord | undefined {
    return this.byName.get(name);
  }

  /** @param id  of a request, a generation or a trace; oldest first */
  find(id: string): RequestRecord[] {
    const held = this.queue.slice(this.head) as RequestRecord[]; // only those before `head` are gone
    return held.filter(
      ({ requestId, traceId, generationIds }) => requestId === id || traceId === id || generationIds.includes(id),
    );
  }

  private makeRoomFor(record: RequestRecord): void {
    record.heldBytes = record.bytes;
    this.heldBytes += record.heldBytes;
    while (this.heldBytes > this.options.bytes && this.head < this.queue.length) {
      const oldest = this.queue[this.head] as RequestRecord;
      this.queue[this.head++] = undefined;
      if (oldest.isClosed) this.forget(oldest);
      else this.queue.push(oldest); // what runs is remembered
    }
    if (this.head <= MOST_EMPTY_PLACES) return;
    this.queue.splice(0, this.head);
    this.head = 0;
  }

  private forget(record: RequestRecord): void {
    this.heldBytes -= record.heldBytes;
    this.forgetNames(record);
  }

  private forgetNames(record: RequestRecord): void {
    for (const name of record.names) this.byName.delete(name);
  }
}
