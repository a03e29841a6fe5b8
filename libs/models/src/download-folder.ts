import { createHash } from 'node:crypto';
import { readFile, rename, rm, rmdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { folderBytes } from './folder-bytes.js';
import type { DownloadedContent } from './remote-source.js';
import type { ResolvedModel } from './resolved-model.js';

/** Written last: a download folder without it is unfinished. */
const MANIFEST = 'hydra-model.json';

const manifestSchema = z.object({
  formatVersion: z.literal(1),
  id: z.string(),
  origin: z.string(),
  kind: z.enum(['hf-folder', 'gguf']),
  ggufFile: z.string().optional(),
  revision: z.string(),
  files: z.array(z.object({ path: z.string(), bytes: z.number(), sha256: z.string() })).min(1),
});

type Manifest = z.infer<typeof manifestSchema>;

/** The folder of one source at one revision: its files, and a manifest once they are all there. */
export class DownloadFolder {
  constructor(readonly path: string) {}

  /** @returns the model when every file of its manifest is there at its size; asks no network */
  async read(): Promise<ResolvedModel | undefined> {
    const manifest = await this.readManifest();
    if (manifest === undefined) return undefined;
    for (const { path, bytes } of manifest.files) {
      if ((await fileBytes(join(this.path, path))) !== bytes) return undefined;
    }
    const { id, origin, kind, ggufFile, files } = manifest;
    const common = {
      id,
      origin,
      bytes: files.reduce((sum, file) => sum + file.bytes, 0),
      contentKey: contentKeyOf(manifest),
    };
    if (kind === 'hf-folder') return { ...common, kind, folder: this.path };
    return ggufFile === undefined ? undefined : { ...common, kind, ggufPath: join(this.path, ggufFile) };
  }

  /** Makes the folder a finished download. */
  async finish(id: string, origin: string, content: DownloadedContent): Promise<void> {
    const manifest: Manifest = { formatVersion: 1, id, origin, ...content, files: [...content.files] };
    const temp = join(this.path, `${MANIFEST}.part`);
    await writeFile(temp, `${JSON.stringify(manifest, undefined, 2)}\n`, { flush: true });
    await rename(temp, join(this.path, MANIFEST));
  }

  /** A source that gave nothing leaves nothing; what it did give is continued the next time. */
  async removeIfEmpty(): Promise<void> {
    try {
      await rmdir(this.path);
    } catch (error) {
      if (!['ENOTEMPTY', 'EEXIST', 'ENOENT'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    }
  }

  /** @returns the bytes freed */
  async remove(): Promise<number> {
    const bytes = await folderBytes(this.path);
    // Without its manifest it is unfinished, should the removal be interrupted.
    await rm(join(this.path, MANIFEST), { force: true });
    await rm(this.path, { recursive: true, force: true });
    return bytes;
  }

  bytes(): Promise<number> {
    return folderBytes(this.path);
  }

  private async readManifest(): Promise<Manifest | undefined> {
    let text: string;
    try {
      text = await readFile(join(this.path, MANIFEST), 'utf8');
    } catch (error) {
      if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
      throw error;
    }
    try {
      return manifestSchema.parse(JSON.parse(text));
    } catch {
      // Of another version, or damaged: downloading checks every file by its checksum and writes it anew.
      return undefined;
    }
  }
}

function contentKeyOf({ files }: Manifest): string {
  const hash = createHash('sha256');
  for (const { path, sha256 } of [...files].sort((a, b) => (a.path < b.path ? -1 : 1)))
    hash.update(`${path}\0${sha256}\n`);
  return hash.digest('hex');
}

async function fileBytes(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
