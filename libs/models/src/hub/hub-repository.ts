import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { assertDiskRoom } from '../disk-room.js';
import { Downloader } from '../net/download.js';
import { HttpClient, type HttpResponse } from '../net/http-client.js';
import { ProgressMeter } from '../net/progress-meter.js';
import type { RetryPolicy } from '../net/retry.js';
import { type DownloadContext, type DownloadedContent, RemoteSource } from '../remote-source.js';
import { chooseFiles } from './choose-files.js';
import { authorizationOf, type HubFile, type HubRevision, judgeHubStatus, listHubFiles } from './hub-listing.js';

export interface HubModel {
  /** `org/name`. */
  readonly repo: string;
  /** Default `main`. */
  readonly revision?: string;
  /** A GGUF file of the repository; needed when it has several. */
  readonly file?: string;
}

export interface HubOptions {
  readonly endpoint: string;
  readonly token?: string;
  /** Where proxies are read from. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly policy: RetryPolicy;
  readonly stallTimeoutMs?: number;
}

/** A repository of the Hugging Face hub, or of a server that speaks like it. */
export class HubRepository extends RemoteSource {
  readonly label: string;
  readonly modelId: string;
  readonly folderName: string;
  private readonly hub: HubRevision;

  constructor(
    private readonly model: HubModel,
    private readonly options: HubOptions,
    modelId?: string,
  ) {
    super();
    const { repo, revision = 'main', file } = model;
    const pinned = revision === 'main' ? repo : `${repo}@${revision}`;
    const name = file === undefined ? pinned : `${pinned}:${file}`;
    this.label = `hub ${name}`;
    this.modelId = modelId ?? name;
    const parts = [repo.replace('/', '--'), revision, ...(file === undefined ? [] : [file])];
    this.folderName = `hub--${parts.map(encodeURIComponent).join('--')}`;
    this.hub = { endpoint: options.endpoint.replace(/\/+$/, ''), repo, revision, token: options.token };
  }

  async download(folder: string, context: DownloadContext): Promise<DownloadedContent> {
    const { environment, policy, stallTimeoutMs } = this.options;
    using client = new HttpClient({ proxyEnvironment: environment, stallTimeoutMs });
    const access = { client, policy, signal: context.signal };
    const top = await listHubFiles(this.hub, access, this.model.file?.includes('/') ?? false);
    const isSentenceModel = top.files.some(({ path }) => path === 'modules.json');
    const listing = isSentenceModel ? await listHubFiles(this.hub, access, true) : top;
    const chosen = chooseFiles(this.modelId, listing.files, this.model.file);
    const files = await this.downloadFiles(
      chosen.files,
      listing.commit,
      folder,
      new Downloader(client, policy),
      context,
    );
    const ggufFile = chosen.kind === 'gguf' ? chosen.files[0].path : undefined;
    return { kind: chosen.kind, ggufFile, revision: listing.commit, files };
  }

  /** One after the other: the line is the limit, and a failure leaves one part rather than many. */
  private async downloadFiles(
    chosen: readonly HubFile[],
    commit: string,
    folder: string,
    downloader: Downloader,
    context: DownloadContext,
  ): Promise<DownloadedContent['files']> {
    const planned = chosen.map((file) => ({ ...file, destination: join(folder, file.path) }));
    for (const { destination } of planned) await mkdir(dirname(destination), { recursive: true });
    await assertDiskRoom(planned);
    using meter = new ProgressMeter(this.label, sumOf(chosen), context.onProgress);
    const files: { path: string; bytes: number; sha256: string }[] = [];
    for (const file of planned) {
      const downloaded = await downloader.download(
        {
          ...file,
          url: this.urlOf(file.path, commit),
          authorization: authorizationOf(this.hub),
          judge: (response: HttpResponse) => judgeHubStatus(this.hub, response),
        },
        { signal: context.signal, listener: meter, isStillOurs: context.isStillOurs },
      );
      files.push({ path: file.path, ...downloaded });
      meter.fileFinished();
    }
    return files;
  }

  private urlOf(path: string, commit: string): URL {
    const encoded = path.split('/').map(encodeURIComponent).join('/');
    return new URL(`${this.hub.endpoint}/${this.hub.repo}/resolve/${commit}/${encoded}`);
  }
}

/** @returns `undefined` when the size of one is not known */
function sumOf(files: readonly HubFile[]): number | undefined {
  let total = 0;
  for (const { bytes } of files) {
    if (bytes === undefined) return undefined;
    total += bytes;
  }
  return total;
}
