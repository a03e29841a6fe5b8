import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import type { Caps } from '#lib/auth';
import type { HydraConfig } from '#lib/config';
import type { ServedModel } from '#lib/contracts';
import { ApiError, type ListedModel, type ModelFacts, modelNotFound } from '#lib/openai';
import type { TextModel } from '#lib/tokens';
import { GATEWAY_CONFIG } from '../gateway-config.js';
import type { ModelRights } from '../identity/model-access.js';
import { FleetView, type WorkerView } from './fleet-view.js';
import { capabilitiesOf } from './model-tasks.js';
import { TextModels } from './text-models.js';

const MAX_KNOWN_MODELS = 256;

/** A model that a request asked for, with all that is needed to translate the request. */
export interface ResolvedModel {
  /** Of the model, or of the adapter on it that was asked for: what rights, limits, usage and metrics are about. */
  readonly id: string;
  readonly served: ServedModel;
  readonly facts: ModelFacts;
  readonly text: TextModel;
}

/** What a name stands for. */
interface Meaning {
  readonly modelId: string;
  readonly adapterId?: string;
}

/** A model of the fleet: what holds for all its workers. */
interface LiveModel {
  readonly served: ServedModel;
  readonly workers: readonly WorkerView[];
}

/** Which names can be asked for, and what stands behind them. */
@Injectable()
export class ModelDirectory implements OnModuleInit {
  private live: ReadonlyMap<string, LiveModel> = new Map();
  /** LoRA adapters that a worker has loaded, with their models. */
  private adapters: ReadonlyMap<string, string> = new Map();
  /** Models that had a worker: their requests can be translated, and wait in the scheduler for a new one. */
  private readonly lastKnown = new Map<string, ServedModel>();
  private readonly listeners: (() => void)[] = [];

  constructor(
    @Inject(GATEWAY_CONFIG) private readonly config: HydraConfig,
    private readonly fleet: FleetView,
    private readonly texts: TextModels,
  ) {}

  onModuleInit(): void {
    this.fleet.onChange(() => this.refresh());
    this.refresh(); // the fleet may be known already
  }

  /**
   * @param name  model id, alias, or an adapter's id
   * @throws ApiError model_not_found, also for a model that may not be used; or no_worker for a model that is configured and never had a worker
   */
  async resolve(name: string, rights: ModelRights, signal: AbortSignal): Promise<ResolvedModel> {
    const meaning = this.meaningOf(name);
    const { modelId, adapterId } = meaning;
    const id = idOf(meaning);
    const caps = this.capsOf(name, rights);
    const served = this.live.get(modelId)?.served ?? this.lastKnown.get(modelId);
    const isLacking = adapterId !== undefined && !this.adapters.has(adapterId); // it is configured, and no worker has it
    if (served === undefined || isLacking) {
      if (!this.isConfigured(meaning)) throw modelNotFound(name);
      throw new ApiError('no_worker', `No worker serves the model '${id}' at present. Please try again later.`);
    }
    const text = await this.textOf(served, signal);
    const facts: ModelFacts = {
      modelId,
      adapterId,
      contextTokens: Math.min(served.contextTokens, caps.contextTokens ?? Infinity),
      caps,
      vocabularySize: served.vocabularySize,
      unsupportedParameters: served.unsupportedParameters,
      samplingDefaults: served.samplingDefaults ?? text.generationDefaults,
    };
    return { id, served, facts, text };
  }

  /**
   * Within what bounds a model may be used, also one that nobody serves.
   * @throws ApiError model_not_found for a model that may not be used
   */
  capsOf(name: string, rights: ModelRights): Caps {
    const decision = rights(idOf(this.meaningOf(name)));
    if (!decision.isAllowed) throw modelNotFound(name);
    return decision.caps;
  }

  /** @returns id of the model or adapter behind a name, `undefined` when it is neither configured nor was ever served */
  knownIdOf(name: string): string | undefined {
    const meaning = this.meaningOf(name);
    const { modelId, adapterId } = meaning;
    const wasServed = adapterId !== undefined || this.live.has(modelId) || this.lastKnown.has(modelId);
    return wasServed || this.isConfigured(meaning) ? idOf(meaning) : undefined;
  }

  /** Called after it changed what can be asked for, or what can answer. */
  onChange(listener: () => void): void {
    this.listeners.push(listener);
  }

  /** Models with a worker, then adapters on them and aliases of such models and adapters; as far as they may be used. */
  list(rights: ModelRights): ListedModel[] {
    const usable = [...this.live.values()].filter(({ served }) => rights(served.modelId).isAllowed);
    const models = usable.map(({ served }) => toListed(served.modelId, served));
    const others = new Set([...this.adapters.keys(), ...Object.keys(this.config.aliases)]);
    const named = [...others].flatMap((name) => {
      const served = this.live.has(name) ? undefined : this.servedAs(name, rights);
      return served === undefined ? [] : [toListed(name, served)];
    });
    return [...models, ...named];
  }

  /** @throws ApiError model_not_found */
  find(name: string, rights: ModelRights): ListedModel {
    const served = this.servedAs(name, rights);
    if (served === undefined) throw modelNotFound(name);
    return toListed(name, served);
  }

  /** Ids of models that can answer now. */
  answerable(): string[] {
    return [...this.live.values()]
      .filter(({ served, workers }) => this.texts.isLoaded(served.textFingerprint) && workers.some(this.isConnected))
      .map(({ served }) => served.modelId);
  }

  /** For people. */
  whyNothingAnswers(): string {
    if (this.live.size === 0) return 'no worker has registered';
    const isConnected = [...this.live.values()].some(({ workers }) => workers.some(this.isConnected));
    return isConnected ? 'the tokenizer is being loaded' : 'no worker is connected';
  }

  /** The model that answers under a name; undefined when there is none, or it may not be used. */
  private servedAs(name: string, rights: ModelRights): ServedModel | undefined {
    const meaning = this.meaningOf(name);
    const { modelId, adapterId } = meaning;
    if (!rights(idOf(meaning)).isAllowed) return undefined;
    if (adapterId !== undefined && !this.adapters.has(adapterId)) return undefined;
    return this.live.get(modelId)?.served;
  }

  /** Aliases and adapters never hide a model of the same name, nor adapters an alias. */
  private meaningOf(name: string): Meaning {
    if (this.live.has(name)) return { modelId: name };
    const target = Object.hasOwn(this.config.aliases, name) ? this.config.aliases[name] : undefined;
    if (target !== undefined) return { modelId: target === 'default' ? (this.config.models[0]?.id ?? name) : target };
    const modelId = this.adapters.get(name) ?? this.configuredAdapter(name)?.id;
    return modelId === undefined ? { modelId: name } : { modelId, adapterId: name };
  }

  private configuredAdapter(adapterId: string) {
    return this.config.models.find(({ adapters }) => adapters.some(({ id }) => id === adapterId));
  }

  private isConfigured({ modelId, adapterId }: Meaning): boolean {
    if (adapterId !== undefined) return this.configuredAdapter(adapterId) !== undefined;
    return this.config.models.some(({ id }) => id === modelId);
  }

  private async textOf(served: ServedModel, signal: AbortSignal): Promise<TextModel> {
    try {
      return await this.texts.get(served.textFingerprint, signal);
    } catch (cause) {
      signal.throwIfAborted();
      throw new ApiError('no_worker', 'The tokenizer of the model cannot be loaded at present.', { cause });
    }
  }

  private readonly isConnected = (worker: WorkerView): boolean => this.fleet.isConnected(worker);

  private refresh(): void {
    const live = new Map<string, { served: ServedModel; workers: WorkerView[] }>();
    const adapters = new Map<string, string>();
    for (const worker of this.fleet.workers) {
      for (const model of worker.member.registration?.models ?? []) {
        const served = dated(model, worker);
        const known = live.get(served.modelId);
        if (known === undefined) live.set(served.modelId, { served, workers: [worker] });
        else live.set(served.modelId, { served: common(known.served, served), workers: [...known.workers, worker] });
      }
    }
    for (const worker of this.fleet.workers) {
      for (const { adapterId, modelId } of worker.member.registration?.adapters ?? []) adapters.set(adapterId, modelId);
    }
    this.live = live;
    this.adapters = adapters;
    for (const { served, workers } of live.values()) {
      this.remember(served);
      if (!workers.some(this.isConnected) || this.texts.isLoaded(served.textFingerprint)) continue;
      if (!this.texts.hasRoom) continue; // or more models than are kept would push each other out at every snapshot
      // Ahead of the first request; a failure shows with the request that needs it, and is tried again then.
      this.texts.get(served.textFingerprint).then(this.changed, () => {});
    }
    this.changed();
  }

  private remember(served: ServedModel): void {
    this.lastKnown.delete(served.modelId);
    this.lastKnown.set(served.modelId, served);
    const [oldest] = this.lastKnown.keys();
    if (this.lastKnown.size > MAX_KNOWN_MODELS && oldest !== undefined) this.lastKnown.delete(oldest);
  }

  private readonly changed = (): void => {
    for (const listener of this.listeners) listener();
  };
}

/** Under what a request is allowed and limited: an adapter has its own. */
function idOf({ modelId, adapterId }: Meaning): string {
  return adapterId ?? modelId;
}

/** An engine that does not say when its model was made serves it since its worker began. */
function dated(served: ServedModel, { workerEpoch }: WorkerView): ServedModel {
  return served.createdUnixS > 0 ? served : { ...served, createdUnixS: Math.floor(workerEpoch / 1_000) };
}

/** What a request may rely on whichever worker it is placed on. */
function common(first: ServedModel, other: ServedModel): ServedModel {
  return {
    ...first,
    contextTokens: Math.min(first.contextTokens, other.contextTokens),
    vocabularySize: Math.min(first.vocabularySize, other.vocabularySize),
    createdUnixS: Math.min(first.createdUnixS, other.createdUnixS),
    unsupportedParameters: [...new Set([...first.unsupportedParameters, ...other.unsupportedParameters])],
  };
}

function toListed(id: string, served: ServedModel): ListedModel {
  const { modelId, createdUnixS: created, contextTokens } = served;
  const capabilities = capabilitiesOf(served);
  return { id, created, contextTokens, capabilities, ...(id === modelId ? {} : { parent: modelId }) };
}
