import type { ModelRunnerLimits } from '#lib/engine';
import { slotTokens } from './runner-limits.js';
import type { DecoderGraph } from './runtime/decoder-graph.js';
import { KvBlockPlaces, planBlockPlaces } from './runtime/kv-block-places.js';
import { KvMemory } from './runtime/kv-memory.js';
import { KvPromptEnds, planPromptEnds } from './runtime/kv-prompt-ends.js';
import { OrtMemory } from './runtime/ort-memory.js';
import type { OrtRuntime } from './runtime/ort-runtime.js';
import type { OrtSession } from './runtime/ort-session.js';
import type { ExecutionProvider } from './runtime/ort-session-options.js';
import { VirtualMemory } from './runtime/virtual-memory.js';
import { usableMemoryBytes } from './usable-memory.js';

/** The machine, its GPU or its container does not have the memory that KV was given. */
export class KvMemoryUnavailableError extends Error {
  override readonly name = 'KvMemoryUnavailableError';

  constructor(
    readonly bytes: number,
    cause?: unknown,
  ) {
    super(`There are not ${bytes} bytes of memory for KV; lower kvBytes.`, { cause });
  }
}

export interface AllocatedKv {
  readonly kv: KvMemory;
  /** Room for blocks of prefixes; on the CPU only. */
  readonly blocks?: KvBlockPlaces;
  /** Room for ends of prompts; on the CPU only. */
  readonly promptEnds?: KvPromptEnds;
}

/**
 * Addresses for the whole context of every slot on the CPU, and for as many blocks of prefixes and ends of prompts as the memory could hold,
 * behind which memory comes as slots grow and blocks are kept; on a GPU the memory of the slots itself.
 * @throws KvMemoryUnavailableError when it is not to be had, or is more than this process may ever use
 */
export function allocateKv(
  runtime: OrtRuntime,
  session: OrtSession,
  graph: DecoderGraph,
  limits: ModelRunnerLimits,
  provider: ExecutionProvider = { kind: 'cpu' },
): AllocatedKv {
  const shape = { ...graph, slots: limits.slots, slotTokens: slotTokens(limits) };
  const isOnCpu = provider.kind === 'cpu';
  if (isOnCpu && limits.kvTotalBytes > usableMemoryBytes()) throw new KvMemoryUnavailableError(limits.kvTotalBytes);
  try {
    const pageBytes = VirtualMemory.pageBytes();
    if (isOnCpu && pageBytes !== undefined) {
      const room = { pageBytes, kvTotalBytes: limits.kvTotalBytes };
      const blocks = { ...planBlockPlaces(shape, room), offset: KvMemory.byteLength(shape) };
      const ends = { ...planPromptEnds(shape, room), offset: blocks.offset + blocks.count * blocks.placeBytes };
      const memory = VirtualMemory.reserve(ends.offset + ends.count * ends.placeBytes, session.ledger);
      const kv = new KvMemory(memory, runtime.cpuMemory, shape);
      return {
        kv,
        blocks: new KvBlockPlaces(memory, kv, blocks),
        promptEnds: new KvPromptEnds(memory, kv, ends),
      };
    }
    const memory = OrtMemory.allocate(runtime, session, provider, KvMemory.byteLength(shape));
    return { kv: new KvMemory(memory, memory.place, shape) };
  } catch (cause) {
    throw new KvMemoryUnavailableError(limits.kvTotalBytes, cause);
  }
}
