import { type FileHandle, open } from 'node:fs/promises';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { crc32, createInflateRaw } from 'node:zlib';
import { SourceError } from '../errors.js';

/**
 * Takes files out of a ZIP archive. Node inflates and sums; what is left is to find the entry in the archive's
 * directory, for which a library is more than we need. Archives over 4 GiB (ZIP64), split and encrypted ones are refused.
 * @see https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT sections 4.3.7, 4.3.12, 4.3.16
 */

interface ZipEntry {
  readonly name: string;
  readonly method: number;
  readonly isEncrypted: boolean;
  readonly crc32: number;
  readonly compressedBytes: number;
  readonly bytes: number;
  readonly headerOffset: number;
}

const END_OF_DIRECTORY = 0x06054b50;
const END_OF_DIRECTORY_BYTES = 22;
const MAX_COMMENT_BYTES = 0xffff;
const DIRECTORY_ENTRY = 0x02014b50;
const DIRECTORY_ENTRY_BYTES = 46;
const LOCAL_HEADER = 0x04034b50;
const LOCAL_HEADER_BYTES = 30;
const ZIP64_MARK = 0xffffffff;
const STORED = 0;
const DEFLATED = 8;

export interface ExtractOptions {
  /** Path within the archive. */
  readonly name: string;
  /** Where it is written; an existing file is replaced. */
  readonly destination: string;
  readonly signal?: AbortSignal;
}

/**
 * Writes one entry to a file, checked against the archive's sum.
 * @returns its size
 * @throws SourceError `malformed` when the archive, or the entry in it, is not as it should be
 */
export async function extractZipEntry(archive: string, options: ExtractOptions): Promise<number> {
  const file = await open(archive);
  try {
    const entry = (await readDirectory(file, archive)).find(({ name }) => name === options.name);
    if (entry === undefined) throw malformed(archive, `has no ${options.name}`);
    if (entry.isEncrypted) throw malformed(archive, `has ${options.name} only encrypted`);
    if (entry.method !== STORED && entry.method !== DEFLATED) {
      throw malformed(archive, `compresses ${options.name} by method ${entry.method}, which is not known`);
    }
    await writeEntry(file, archive, entry, options);
    return entry.bytes;
  } finally {
    await file.close();
  }
}

/**
 * Names of the archive's files, without its folders.
 * @throws SourceError `malformed`
 */
export async function listZipEntries(archive: string): Promise<{ readonly name: string; readonly bytes: number }[]> {
  const file = await open(archive);
  try {
    const entries = await readDirectory(file, archive);
    return entries.filter(({ name }) => !name.endsWith('/')).map(({ name, bytes }) => ({ name, bytes }));
  } finally {
    await file.close();
  }
}

async function writeEntry(file: FileHandle, archive: string, entry: ZipEntry, options: ExtractOptions): Promise<void> {
  const header = await readAt(file, archive, entry.headerOffset, LOCAL_HEADER_BYTES);
  if (header.readUInt32LE(0) !== LOCAL_HEADER)
    throw malformed(archive, 'is damaged: an entry is not where it should be');
  const start = entry.headerOffset + LOCAL_HEADER_BYTES + header.readUInt16LE(26) + header.readUInt16LE(28);
  const compressed =
    entry.compressedBytes === 0
      ? Readable.from([])
      : file.createReadStream({
          start,
          end: start + entry.compressedBytes - 1,
          autoClose: false,
          highWaterMark: 1 << 20,
        });
  let bytes = 0;
  let sum = 0;
  const check = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      sum = crc32(chunk, sum);
      // An entry that inflates to more than it says could fill the disk.
      if (bytes > entry.bytes) done(malformed(archive, `is damaged: ${entry.name} is larger than it says`));
      else done(null, chunk);
    },
  });
  const target = await open(options.destination, 'w');
  try {
    const write = async (chunks: AsyncIterable<Buffer>) => {
      for await (const chunk of chunks) await target.writeFile(chunk);
    };
    const { signal } = options;
    if (entry.method === STORED) await pipeline(compressed, check, write, { signal });
    else await pipeline(compressed, createInflateRaw(), check, write, { signal });
    if (bytes !== entry.bytes || sum !== entry.crc32)
      throw malformed(archive, `is damaged: ${entry.name} has a wrong sum`);
    await target.sync();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code?.startsWith('Z_')) {
      throw malformed(archive, `is damaged: ${entry.name} cannot be inflated`, error);
    }
    throw error;
  } finally {
    await target.close();
  }
}

async function readDirectory(file: FileHandle, archive: string): Promise<ZipEntry[]> {
  const { size } = await file.stat();
  const tailBytes = Math.min(size, END_OF_DIRECTORY_BYTES + MAX_COMMENT_BYTES);
  const tail = await readAt(file, archive, size - tailBytes, tailBytes);
  let end = tailBytes - END_OF_DIRECTORY_BYTES;
  while (end >= 0 && tail.readUInt32LE(end) !== END_OF_DIRECTORY) end -= 1;
  if (end < 0) throw malformed(archive, 'is not a ZIP archive');
  const entryCount = tail.readUInt16LE(end + 10);
  const directoryBytes = tail.readUInt32LE(end + 12);
  const directoryOffset = tail.readUInt32LE(end + 16);
  if (directoryOffset === ZIP64_MARK || entryCount === 0xffff)
    throw malformed(archive, 'is a ZIP64 archive, not handled');
  if (directoryOffset + directoryBytes > size) throw malformed(archive, 'is damaged: its directory is outside of it');

  const directory = await readAt(file, archive, directoryOffset, directoryBytes);
  const entries: ZipEntry[] = [];
  for (let offset = 0; entries.length < entryCount; ) {
    if (offset + DIRECTORY_ENTRY_BYTES > directory.length || directory.readUInt32LE(offset) !== DIRECTORY_ENTRY) {
      throw malformed(archive, 'is damaged: its directory ends too early');
    }
    const nameBytes = directory.readUInt16LE(offset + 28);
    const nameOffset = offset + DIRECTORY_ENTRY_BYTES;
    entries.push({
      name: directory.toString('utf8', nameOffset, nameOffset + nameBytes),
      isEncrypted: (directory.readUInt16LE(offset + 8) & 1) === 1,
      method: directory.readUInt16LE(offset + 10),
      crc32: directory.readUInt32LE(offset + 16),
      compressedBytes: directory.readUInt32LE(offset + 20),
      bytes: directory.readUInt32LE(offset + 24),
      headerOffset: directory.readUInt32LE(offset + 42),
    });
    offset = nameOffset + nameBytes + directory.readUInt16LE(offset + 30) + directory.readUInt16LE(offset + 32);
  }
  return entries;
}

async function readAt(file: FileHandle, archive: string, position: number, bytes: number): Promise<Buffer> {
  const buffer = Buffer.alloc(bytes);
  const { bytesRead } = await file.read(buffer, 0, bytes, position);
  if (bytesRead < bytes) throw malformed(archive, 'is damaged: it ends too early');
  return buffer;
}

function malformed(archive: string, what: string, cause?: unknown): SourceError {
  return new SourceError('malformed', `${archive} ${what}.`, { cause });
}
