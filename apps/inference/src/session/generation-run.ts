import type { Failed, Finished, FrameEntry, GenerationRequest } from '#lib/contracts';
import { generationFields, type RequestRecord } from '#lib/observability';
import { EntryGatherer } from './entry-gatherer.js';

/** Who a generation belongs to, and where what comes of it goes. */
export interface GenerationReader {
  readonly gatewayId: string | undefined;
  frame(step: number, entries: FrameEntry[]): void;
  finished(finished: Finished): void;
  failed(failed: Failed): void;
}

/** One generation in this worker: whose it is, and when its tokens came. All times are monotonic, in milliseconds. */
export class GenerationRun {
  /** Fields of every log line about it. */
  readonly logFields: Record<string, string>;
  readonly arrivedMs = performance.now();
  readonly generationId: string;
  readonly gatherer: EntryGatherer;
  private readonly lastTokenMs = new Map<number, number>();

  constructor(
    readonly request: GenerationRequest,
    readonly reader: GenerationReader,
    /** For its trace. */
    readonly record: RequestRecord,
  ) {
    this.generationId = request.generationId;
    this.logFields = generationFields(request);
    this.gatherer = new EntryGatherer(request);
  }

  /** @returns seconds since arrival for a sequence's first entry with a token, since its last one otherwise */
  tokensCame(
    { sequenceIndex, tokenIds }: FrameEntry,
    nowMs: number,
  ): { isFirst: boolean; seconds: number } | undefined {
    if (tokenIds.length === 0) return undefined;
    const earlierMs = this.lastTokenMs.get(sequenceIndex);
    this.lastTokenMs.set(sequenceIndex, nowMs);
    return { isFirst: earlierMs === undefined, seconds: (nowMs - (earlierMs ?? this.arrivedMs)) / 1_000 };
  }

  elapsedSeconds(): number {
    return (performance.now() - this.arrivedMs) / 1_000;
  }
}
