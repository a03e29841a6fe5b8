import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { WEIGHTS_FILE } from '../compiled-model.js';
import type { ExternalData } from './graph-builder.js';

/** Page size: ONNX Runtime maps initializers whose offset is a multiple of it. */
const ALIGNMENT = 4096;

/** A part of the weights file whose size is known before its bytes are. */
export interface Region extends ExternalData {
  /** Writes bytes at a position within the region. */
  write(position: number, bytes: ArrayBufferView): Promise<void>;
}

/** The external data of a graph, written region by region, in any order within a region. */
export class WeightsFile {
  private end = 0;
  private readonly hash = createHash('sha256');

  private constructor(private readonly file: FileHandle) {}

  static async create(folder: string): Promise<WeightsFile> {
    return new WeightsFile(await open(join(folder, WEIGHTS_FILE), 'w'));
  }

  get byteLength(): number {
    return this.end;
  }

  allocate(length: number): Region {
    const offset = Math.ceil(this.end / ALIGNMENT) * ALIGNMENT;
    this.end = offset + length;
    const { file, hash } = this;
    return {
      file: WEIGHTS_FILE,
      offset,
      length,
      async write(position, view) {
        const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
        if (position + bytes.length > length) throw new RangeError('A write goes past the end of its region.');
        hash.update(`${offset + position}+${bytes.length}\n`).update(bytes);
        for (let done = 0; done < bytes.length; ) {
          const { bytesWritten } = await file.write(bytes, done, bytes.length - done, offset + position + done);
          done += bytesWritten;
        }
      },
    };
  }

  /** SHA-256, hex, over all writes in their order: equal for equal content, because equal sources are written in equal order. */
  digest(): string {
    return this.hash.digest('hex');
  }

  /** Flushes to disk, so that a rename after it never shows a file without its bytes. */
  async close(): Promise<void> {
    await this.file.truncate(this.end);
    await this.file.sync();
    await this.file.close();
  }
}
