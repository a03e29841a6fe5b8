import { Inject, Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { untilAborted } from '#lib/channels';
import { APP_LOGGER, type Logger } from '#lib/observability';
import { TextModel } from '#lib/tokens';
import { FleetView } from './fleet-view.js';

/** Tokenizers kept at once; a large one has about 100 MB. */
const MAX_TEXT_MODELS = 8;
const FETCH_TIMEOUT_MS = 30_000;
/** A worker's broken files are not fetched again for every request. */
const FAILURE_MEMORY_MS = 1_000;

/** No connected worker has them now; the next change of the fleet may help. */
class NoHolderError extends Error {
  override readonly name = 'NoHolderError';
}

interface Entry {
  readonly loading: Promise<TextModel>;
  model?: TextModel;
}

/**
 * Tokenizer and chat template of each model, by text fingerprint: fetched from any worker that has them, built once, kept
 * while among the most recently used.
 */
@Injectable()
export class TextModels {
  private readonly entries = new LRUCache<string, Entry>({ max: MAX_TEXT_MODELS });

  constructor(
    private readonly fleet: FleetView,
    @Inject(APP_LOGGER) private readonly logger: Logger,
  ) {}

  /** Whether it can be used at once. */
  isLoaded(textFingerprint: string): boolean {
    return this.entries.peek(textFingerprint)?.model !== undefined;
  }

  /** Whether one more can be loaded without giving up another. */
  get hasRoom(): boolean {
    return this.entries.size < MAX_TEXT_MODELS;
  }

  /**
   * Loads it, or joins the loading. An aborted signal ends the wait only: others may be waiting for the same.
   * @throws the signal's reason; what the last worker failed with
   */
  get(textFingerprint: string, signal?: AbortSignal): Promise<TextModel> {
    const { loading, model } = this.entryOf(textFingerprint);
    return signal === undefined || model !== undefined ? loading : untilAborted(loading, signal);
  }

  private entryOf(textFingerprint: string): Entry {
    const known = this.entries.get(textFingerprint);
    if (known !== undefined) return known;
    const entry: Entry = { loading: this.load(textFingerprint) };
    this.entries.set(textFingerprint, entry);
    entry.loading.then(
      (model) => {
        entry.model = model;
      },
      (error: unknown) => {
        const forget = () => this.entries.peek(textFingerprint) === entry && this.entries.delete(textFingerprint);
        if (error instanceof NoHolderError) forget();
        else setTimeout(forget, FAILURE_MEMORY_MS).unref();
      },
    );
    return entry;
  }

  private async load(textFingerprint: string): Promise<TextModel> {
    const holders = this.fleet.workers.filter(
      (worker) =>
        this.fleet.isConnected(worker) &&
        worker.member.registration?.models.some((model) => model.textFingerprint === textFingerprint),
    );
    let failure: unknown = new NoHolderError('No connected worker has the text files of the model.');
    for (const { target } of holders) {
      try {
        const signal = AbortSignal.timeout(FETCH_TIMEOUT_MS);
        const model = TextModel.load(await this.fleet.session(target).modelFiles(textFingerprint, signal));
        await model.encodeHere();
        this.logger.info({ text_fingerprint: textFingerprint, target }, 'tokenizer loaded');
        return model;
      } catch (error) {
        this.logger.warn({ text_fingerprint: textFingerprint, target, error }, 'cannot load a tokenizer from a worker');
        failure = error;
      }
    }
    throw failure;
  }
}
