import { AdapterBindings } from './adapters/adapter-bindings.js';
import type { AdapterMemory } from './adapters/adapter-memory.js';
import type { AdapterGraph } from './runtime/adapter-graph.js';
import { adapterInputNames } from './runtime/adapter-graph.js';
import { checkDecoderGraph, type DecoderGraph } from './runtime/decoder-graph.js';
import type { KvMemory } from './runtime/kv-memory.js';
import type { OrtRuntime } from './runtime/ort-runtime.js';
import { OrtSession } from './runtime/ort-session.js';
import type { OrtSessionOptions } from './runtime/ort-session-options.js';
import { SlotBindings } from './slot-bindings.js';

/** Files of one model: what decodes, and what computes prompts where that has weights of its own. */
export interface GraphFiles<File = string> {
  readonly decode: File;
  readonly prefill: File | undefined;
}

/** Sessions over the same KV. Without `prefill`, one computes all. */
export interface LoadedSessions {
  readonly decode: OrtSession;
  readonly prefill: OrtSession | undefined;
}

/** What passes are run on. */
export class ModelSessions {
  readonly decoding: SlotBindings;
  /** The same, unless prompts have weights of their own. */
  readonly prefilling: SlotBindings;

  constructor(
    sessions: LoadedSessions,
    graph: DecoderGraph,
    kv: KvMemory,
    adapters?: { readonly memory: AdapterMemory; readonly graphs: GraphFiles<AdapterGraph> },
  ) {
    const bindingsOf = (file: AdapterGraph | undefined) =>
      adapters && file && new AdapterBindings(adapters.memory, file.sites, file.products);
    this.decoding = new SlotBindings(sessions.decode, graph, kv, bindingsOf(adapters?.graphs.decode));
    this.prefilling =
      sessions.prefill === undefined
        ? this.decoding
        : new SlotBindings(sessions.prefill, graph, kv, bindingsOf(adapters?.graphs.prefill));
  }

  /** @throws DecoderGraphError, OrtError */
  static load(
    runtime: OrtRuntime,
    graph: DecoderGraph,
    files: GraphFiles,
    options: OrtSessionOptions,
  ): Promise<LoadedSessions> {
    return openBoth(files, (path) => open(runtime, { ...graph, path }, options, []));
  }

  /** Of the graphs that adapters add to. */
  static loadAdapted(
    runtime: OrtRuntime,
    graph: DecoderGraph,
    files: GraphFiles<AdapterGraph>,
    options: OrtSessionOptions,
  ): Promise<LoadedSessions> {
    return openBoth(files, ({ path, sites }) => open(runtime, { ...graph, path }, options, adapterInputNames(sites)));
  }

  /** Ends a run of theirs. @param beforeRelease  as `OrtSession.close` has it */
  async close(beforeRelease?: () => void): Promise<void> {
    const { session } = this.prefilling;
    if (session !== this.decoding.session) await session.close();
    await this.decoding.session.close(beforeRelease);
  }
}

async function openBoth<File>(
  { decode, prefill }: GraphFiles<File>,
  openFile: (file: File) => Promise<OrtSession>,
): Promise<LoadedSessions> {
  const decodeSession = await openFile(decode);
  try {
    return { decode: decodeSession, prefill: prefill === undefined ? undefined : await openFile(prefill) };
  } catch (error) {
    await decodeSession.close();
    throw error;
  }
}

async function open(
  runtime: OrtRuntime,
  graph: DecoderGraph,
  options: OrtSessionOptions,
  furtherInputs: readonly string[],
): Promise<OrtSession> {
  const session = await OrtSession.load(runtime, graph.path, options);
  try {
    checkDecoderGraph(graph, session, furtherInputs);
    return session;
  } catch (error) {
    await session.close();
    throw error;
  }
}
