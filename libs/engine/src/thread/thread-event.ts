import { FinishReason, type FrameEntry } from '#lib/contracts';
import type { EngineEvent } from '../engine.js';
import type { ThreadEntry, ThreadEvent } from './output.js';

export function toThreadEvent(event: EngineEvent): ThreadEvent {
  if (event.kind !== 'step') return event;
  return { kind: 'step', step: event.step, entries: event.entries.map(toThreadEntry) };
}

export function fromThreadEvent(event: ThreadEvent): EngineEvent {
  if (event.kind !== 'step') return event;
  return { kind: 'step', step: event.step, entries: event.entries.map(fromThreadEntry) };
}

function toThreadEntry(whole: FrameEntry): ThreadEntry {
  const { finishReason, stopMatch, logprobs, promptLogprobs, textEnds: _, ...entry } = whole; // an engine's entry is of one step
  if (logprobs.length > 0 || promptLogprobs.length > 0)
    return { ...entry, finishReason, stopMatch, logprobs, promptLogprobs };
  return finishReason === FinishReason.UNSPECIFIED ? entry : { ...entry, finishReason, stopMatch };
}

function fromThreadEntry(entry: ThreadEntry): FrameEntry {
  return {
    generationId: entry.generationId,
    sequenceIndex: entry.sequenceIndex,
    tokenIds: entry.tokenIds,
    text: entry.text,
    logprobs: entry.logprobs ?? [],
    finishReason: entry.finishReason ?? FinishReason.UNSPECIFIED,
    stopMatch: entry.stopMatch ?? '',
    promptLogprobs: entry.promptLogprobs ?? [],
    textEnds: [],
  };
}
