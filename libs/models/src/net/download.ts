import { basename } from 'node:path';
import { SourceError } from '../errors.js';
import { type HttpClient, type HttpResponse, safeUrl, toTransientFailure } from './http-client.js';
import { checkFile, type ExpectedContent, PartFile } from './part-file.js';
import { DEFAULT_RETRY_POLICY, type RetryPolicy, TransientFailure, withRetries } from './retry.js';
import { failureOfStatus } from './status.js';

export interface FileDownload extends ExpectedContent {
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  readonly authorization?: string;
  /** Path of the finished file; its folder exists. */
  readonly destination: string;
  /** Turns a status that is no success into an error; default `failureOfStatus`. */
  readonly judge?: (response: HttpResponse) => Error;
}

/** Where a download is. Both may be called often. */
export interface TransferListener {
  /** The file has this many bytes now, without having been transferred: a resumed part, or 0 when it begins anew. */
  positioned(fileBytes: number): void;
  received(bytes: number): void;
  /** The server says how large the file is. */
  announced(fileBytes: number): void;
}

export interface DownloadOptions {
  readonly signal?: AbortSignal;
  readonly listener?: TransferListener;
  /** Asked right before the file gets its name; throws when it must not. */
  readonly isStillOurs?: () => Promise<void>;
}

export interface DownloadedFile {
  readonly bytes: number;
  readonly sha256: string;
}

/** Chosen: an attempt that brought this much makes the count of failed attempts start anew. */
const PROGRESS_BYTES = 256 * 1024;

/** Downloads files by ranges: a connection that breaks, and a process that is killed, go on where they were. */
export class Downloader {
  constructor(
    private readonly client: HttpClient,
    private readonly policy: RetryPolicy = DEFAULT_RETRY_POLICY,
  ) {}

  /**
   * Downloads one file. A file that is there and hashes to its digest is not downloaded again.
   * The caller keeps other processes away from the destination.
   * @throws SourceError; the signal's reason; errors of the file system as they are
   */
  async download(file: FileDownload, options: DownloadOptions = {}): Promise<DownloadedFile> {
    if (file.digest !== undefined) {
      const sha256 = await checkFile(file.destination, file);
      if (sha256 !== undefined && file.bytes !== undefined) {
        options.listener?.positioned(file.bytes);
        return { bytes: file.bytes, sha256 };
      }
    }
    // Twice: what was resumed may have been damaged on disk, what was new on the way.
    for (let attempt = 1; attempt <= 2; attempt += 1) {
      const downloaded = await this.attempt(file, options);
      if (downloaded !== undefined) return downloaded;
      options.listener?.positioned(0);
    }
    const name = basename(file.destination);
    throw new SourceError(
      'checksum',
      `The checksum of ${name} from ${file.url.host} is wrong, also after a second download; nothing of it was kept.`,
    );
  }

  /** @returns `undefined` when the checksum is wrong */
  private async attempt(file: FileDownload, options: DownloadOptions): Promise<DownloadedFile | undefined> {
    const part = await PartFile.open(file.destination, file);
    try {
      options.listener?.positioned(part.bytes);
      if (!part.isWhole) {
        await withRetries((progressed) => this.transfer(file, part, options, progressed), this.policy, options.signal);
      }
      const { bytes } = part;
      const sha256 = await part.finish(options.isStillOurs ?? (() => Promise.resolve()));
      return sha256 === undefined ? undefined : { bytes, sha256 };
    } finally {
      await part.close();
    }
  }

  private async transfer(
    file: FileDownload,
    part: PartFile,
    { signal, listener }: DownloadOptions,
    progressed: () => void,
  ): Promise<void> {
    if (part.bytes > 0 && part.etag === undefined && file.digest === undefined) await part.restart();
    const startBytes = part.bytes;
    const response = await this.client.get({ ...file, headers: { ...file.headers, ...rangeHeaders(part) }, signal });
    const totalBytes = await this.accept(response, file, part);
    if (part.bytes !== startBytes) listener?.positioned(part.bytes);
    if (totalBytes !== undefined) listener?.announced(totalBytes);
    let attemptBytes = 0;
    try {
      for await (const chunk of response.body as AsyncIterable<Buffer>) {
        await part.append(chunk);
        listener?.received(chunk.length);
        attemptBytes += chunk.length;
        if (attemptBytes >= PROGRESS_BYTES) progressed();
        if (totalBytes !== undefined && part.bytes > totalBytes) break;
      }
    } catch (error) {
      throw toTransientFailure(error, response.url);
    }
    if (totalBytes !== undefined && part.bytes !== totalBytes) {
      if (part.bytes > totalBytes) await part.restart();
      throw new TransientFailure(`${response.url.host} sent another number of bytes than it announced`);
    }
  }

  /** Judges the head of an answer and brings the part to where its body begins. @returns the size of the whole file */
  private async accept(response: HttpResponse, file: FileDownload, part: PartFile): Promise<number | undefined> {
    const { status, headers, body, url } = response;
    const refuse = (error: Error): never => {
      body.destroy();
      throw error;
    };
    let totalBytes: number | undefined;
    if (status === 206) {
      const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(headers['content-range'] ?? '');
      if (range === null || Number(range[1]) !== part.bytes) {
        await part.restart();
        refuse(new TransientFailure(`${url.host} answers another range than was asked for`));
      } else if (range[2] !== '*') totalBytes = Number(range[2]);
    } else if (status === 200) {
      await part.restart();
      totalBytes = headers['content-length'] === undefined ? undefined : Number(headers['content-length']);
    } else if (status === 416) {
      await part.restart();
      refuse(new TransientFailure(`${url.host} has no such range`));
    } else {
      refuse((file.judge ?? failureOfStatus)(response));
    }
    if (totalBytes !== undefined && file.bytes !== undefined && totalBytes !== file.bytes) {
      const what = `${safeUrl(file.url)} has ${totalBytes} bytes where ${file.bytes} were announced`;
      refuse(new SourceError('checksum', `${what}.`));
    }
    await part.identify(headers.etag, announcedSha256(response));
    return totalBytes ?? file.bytes;
  }
}

function rangeHeaders(part: PartFile): Record<string, string> {
  if (part.bytes === 0) return {};
  const range = { range: `bytes=${part.bytes}-` };
  return part.etag === undefined ? range : { ...range, 'if-range': part.etag };
}

/** The hub names the SHA-256 of a large file in the redirect to it. */
function announcedSha256({ redirectHeaders, headers }: HttpResponse): string | undefined {
  const etag = [...redirectHeaders, headers].map((hop) => hop['x-linked-etag']).find((value) => value !== undefined);
  return /^"?([0-9a-f]{64})"?$/.exec(String(etag))?.[1];
}
