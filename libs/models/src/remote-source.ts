import type { PullProgress } from './net/progress-meter.js';

export interface DownloadedContent {
  readonly kind: 'hf-folder' | 'gguf';
  /** Path in the folder of the one file of a `gguf`. */
  readonly ggufFile?: string;
  /** What exactly was downloaded: a commit, a version. */
  readonly revision: string;
  readonly files: readonly { readonly path: string; readonly bytes: number; readonly sha256: string }[];
}

export interface DownloadContext {
  readonly signal?: AbortSignal;
  readonly onProgress: (progress: PullProgress) => void;
  /** Throws when the folder was taken over by another process, so that nothing may be given its final name. */
  readonly isStillOurs: () => Promise<void>;
}

/** A place on the network that gives one model at one revision: a hub repository, a package of a package index. */
export abstract class RemoteSource {
  /** For people: `hub org/name`. */
  abstract readonly label: string;
  /** Canonical name of the model it gives. */
  abstract readonly modelId: string;
  /** Name of its download folder, the same for the same source and revision, different for others. */
  abstract readonly folderName: string;

  /**
   * Fills the folder. Files that are there from an interrupted download are continued, or taken when their checksum is right.
   * @param folder  exists; no other process writes in it
   * @throws SourceError when this source cannot give the model and another may
   * @throws UnsupportedModelError when it is a model that we cannot use
   */
  abstract download(folder: string, context: DownloadContext): Promise<DownloadedContent>;
}
