import { createHash, type Hash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { WEIGHTS_FILE } from '../compiled-model.js';
import type { ExternalData } from './graph-builder.js';
import { PartJournal, type WrittenPart, type WrittenRegion } from './part-journal.js';

/** Page size: ONNX Runtime maps initializers whose offset is a multiple of it. */
const ALIGNMENT = 4096;
/** Read at once when bytes of an earlier attempt are checked. */
const CHECK_BYTES = 4 << 20;

/** A run of the weights file whose length is known before its bytes are. */
export interface Region extends ExternalData {
  /** Writes the bytes that come next; a region is written from its begin to its end. */
  append(bytes: ArrayBufferView): Promise<void>;
}

/**
 * The external data of a graph, written part by part. A journal beside it says which parts are whole, so that an attempt that
 * was killed goes on: the same parts, asked for in the same order, give the same bytes, interrupted or not.
 */
export class WeightsFile {
  private readonly written: WrittenPart[] = [];
  private end = 0;

  private constructor(
    private readonly file: FileHandle,
    private readonly journal: PartJournal,
    /** Of an earlier attempt, not asked for yet. */
    private earlier: WrittenPart[],
  ) {}

  /** Goes on with what an earlier attempt left in the folder. */
  static async open(folder: string): Promise<WeightsFile> {
    const journal = new PartJournal(folder);
    const earlier = await journal.read();
    await journal.reset(earlier); // without what was cut off
    return new WeightsFile(
      await open(join(folder, WEIGHTS_FILE), constants.O_RDWR | constants.O_CREAT),
      journal,
      earlier,
    );
  }

  get byteLength(): number {
    return this.end;
  }

  /** The regions of a part as an earlier attempt wrote them; `undefined` when it has to be written. */
  async findPart(name: string): Promise<readonly ExternalData[] | undefined> {
    const part = this.earlier.shift();
    if (part === undefined) return undefined;
    if (part.name === name && (await this.isWhole(part))) {
      this.written.push(part);
      for (const { length } of part.regions) this.advance(length);
      return part.regions.map(({ offset, length }) => ({ file: WEIGHTS_FILE, offset, length }));
    }
    this.earlier = [];
    await this.journal.reset(this.written);
    return undefined;
  }

  /**
   * Writes a part that `findPart` has not.
   * @param write  allocates its regions and fills them, in an order of its own
   */
  async writePart(
    name: string,
    write: (allocate: (length: number) => Region) => Promise<void>,
  ): Promise<readonly ExternalData[]> {
    const regions: OpenRegion[] = [];
    await write((length) => {
      const region = new OpenRegion(this.file, this.advance(length), length);
      regions.push(region);
      return region;
    });
    const part = { name, regions: regions.map((region) => region.finish()) };
    await this.journal.add(part);
    this.written.push(part);
    return regions;
  }

  /** SHA-256, hex, over all regions: equal for equal content. */
  digest(): string {
    const hash = createHash('sha256');
    for (const { regions } of this.written) {
      for (const { offset, length, sha256 } of regions) hash.update(`${offset}+${length} ${sha256}\n`);
    }
    return hash.digest('hex');
  }

  /** Flushes to disk, so that a rename after it never shows a file without its bytes. */
  async flush(): Promise<void> {
    await this.file.truncate(this.end);
    await this.file.sync();
  }

  async close(): Promise<void> {
    await this.file.close();
  }

  /** All that belongs to the folder is written: nothing of this attempt is to go on. */
  async removeJournal(): Promise<void> {
    await this.journal.remove();
  }

  /** @returns the offset of the next region */
  private advance(length: number): number {
    const offset = Math.ceil(this.end / ALIGNMENT) * ALIGNMENT;
    this.end = offset + length;
    return offset;
  }

  private async isWhole({ regions }: WrittenPart): Promise<boolean> {
    let end = this.end;
    for (const region of regions) {
      if (region.offset !== Math.ceil(end / ALIGNMENT) * ALIGNMENT) return false;
      end = region.offset + region.length;
      if ((await this.sha256Of(region)) !== region.sha256) return false;
    }
    return true;
  }

  /** @returns `undefined` when the file ends before the region does */
  private async sha256Of({ offset, length }: WrittenRegion): Promise<string | undefined> {
    const hash = createHash('sha256');
    const buffer = new Uint8Array(Math.min(length, CHECK_BYTES));
    for (let done = 0; done < length; ) {
      const { bytesRead } = await this.file.read(buffer, 0, Math.min(buffer.length, length - done), offset + done);
      if (bytesRead === 0) return undefined;
      hash.update(buffer.subarray(0, bytesRead));
      done += bytesRead;
    }
    return hash.digest('hex');
  }
}

class OpenRegion implements Region {
  readonly file = WEIGHTS_FILE;
  private readonly hash: Hash = createHash('sha256');
  private position = 0;

  constructor(
    private readonly handle: FileHandle,
    readonly offset: number,
    readonly length: number,
  ) {}

  async append(view: ArrayBufferView): Promise<void> {
    const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
    if (this.position + bytes.length > this.length) throw new RangeError('A write goes past the end of its region.');
    this.hash.update(bytes);
    for (let done = 0; done < bytes.length; ) {
      const at = this.offset + this.position + done;
      const { bytesWritten } = await this.handle.write(bytes, done, bytes.length - done, at);
      done += bytesWritten;
    }
    this.position += bytes.length;
  }

  finish(): WrittenRegion {
    if (this.position !== this.length) throw new RangeError('A region is not filled to its end.');
    return { offset: this.offset, length: this.length, sha256: this.hash.digest('hex') };
  }
}
