import { type FileHandle, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { ContentHash, type Digest } from './content-hash.js';

/** What a part belongs to, kept beside it: a part is continued only when it is certainly of the same content. */
interface PartNote {
  readonly digest?: Digest;
  readonly etag?: string;
  /** What the server called the SHA-256 of the content. */
  readonly announcedSha256?: string;
}

export interface ExpectedContent {
  readonly bytes?: number;
  readonly digest?: Digest;
}

const READ_BYTES = 1024 * 1024;

/** A file on its way: `x.part` with its note `x.part.json`, until it is whole, checked and renamed to `x`. */
export class PartFile {
  private hash: ContentHash;

  private constructor(
    readonly destination: string,
    private readonly handle: FileHandle,
    private readonly expected: ExpectedContent,
    private length: number,
    private note: PartNote,
  ) {
    this.hash = new ContentHash(expected.digest, expected.bytes);
  }

  /** Opens what is there of the file, or begins it. */
  static async open(destination: string, expected: ExpectedContent): Promise<PartFile> {
    const note = await readNote(notePath(destination));
    const handle = await open(partPath(destination), 'a+');
    try {
      const { size } = await handle.stat();
      const part = new PartFile(destination, handle, expected, size, note ?? {});
      const isSameContent =
        expected.digest === undefined ? note?.etag !== undefined : note?.digest?.hex === expected.digest.hex;
      if (!isSameContent || size > (expected.bytes ?? Number.MAX_SAFE_INTEGER)) await part.restart();
      else await part.hashPresent();
      return part;
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** Bytes that are there. */
  get bytes(): number {
    return this.length;
  }

  /** Strong validator of the content that the bytes are of, for `If-Range`. */
  get etag(): string | undefined {
    return this.note.etag;
  }

  get isWhole(): boolean {
    return this.expected.bytes !== undefined && this.length === this.expected.bytes;
  }

  /** Throws the bytes away. */
  async restart(): Promise<void> {
    if (this.length > 0) await this.handle.truncate(0);
    this.length = 0;
    this.hash = new ContentHash(this.expected.digest, this.expected.bytes);
  }

  /** Notes what the bytes that come now are of. Weak validators say nothing about bytes. */
  async identify(etag: string | undefined, announcedSha256?: string): Promise<void> {
    const strongEtag = etag?.startsWith('W/') ? undefined : etag;
    this.note = { digest: this.expected.digest, etag: strongEtag, announcedSha256 };
    await writeFile(notePath(this.destination), JSON.stringify(this.note));
  }

  async append(chunk: Uint8Array): Promise<void> {
    let written = 0;
    while (written < chunk.length) {
      written += (await this.handle.write(chunk, written)).bytesWritten;
    }
    this.hash.update(chunk);
    this.length += chunk.length;
  }

  /**
   * Checks the content and gives the file its name; a part that is not as expected is thrown away.
   * @param isStillOurs  throws when the file must not be published
   * @returns its SHA-256, `undefined` when the content was not as expected
   */
  async finish(isStillOurs: () => Promise<void>): Promise<string | undefined> {
    const { sha256, isAsExpected } = this.hash.finish();
    const { announcedSha256 } = this.note;
    if (!isAsExpected || (announcedSha256 !== undefined && announcedSha256 !== sha256)) {
      await this.restart();
      return undefined;
    }
    await this.handle.sync();
    await isStillOurs();
    await rename(partPath(this.destination), this.destination);
    await rm(notePath(this.destination), { force: true });
    return sha256;
  }

  close(): Promise<void> {
    return this.handle.close();
  }

  private async hashPresent(): Promise<void> {
    const buffer = new Uint8Array(READ_BYTES);
    for (let position = 0; position < this.length; ) {
      const { bytesRead } = await this.handle.read(buffer, 0, buffer.length, position);
      if (bytesRead === 0) break;
      this.hash.update(buffer.subarray(0, bytesRead));
      position += bytesRead;
    }
  }
}

/** @returns the SHA-256 of a finished file when it is as expected; `undefined` when it is not, or not there */
export async function checkFile(path: string, expected: ExpectedContent): Promise<string | undefined> {
  let handle: FileHandle;
  try {
    handle = await open(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const { size } = await handle.stat();
    if (expected.bytes !== undefined && size !== expected.bytes) return undefined;
    const hash = new ContentHash(expected.digest, size);
    for await (const chunk of handle.createReadStream({ autoClose: false, highWaterMark: READ_BYTES })) {
      hash.update(chunk as Buffer);
    }
    const { sha256, isAsExpected } = hash.finish();
    return isAsExpected ? sha256 : undefined;
  } finally {
    await handle.close();
  }
}

function partPath(destination: string): string {
  return `${destination}.part`;
}

function notePath(destination: string): string {
  return `${destination}.part.json`;
}

async function readNote(path: string): Promise<PartNote | undefined> {
  try {
    const note = JSON.parse(await readFile(path, 'utf8')) as PartNote | null;
    return note ?? undefined;
  } catch {
    // Missing or cut off in a crash: the part is then of unknown content and begins anew.
    return undefined;
  }
}
