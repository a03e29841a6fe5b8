import { appendFile, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';

const JOURNAL_FILE = 'weights.journal';

/** A run of bytes of the weights file, whole. */
export interface WrittenRegion {
  readonly offset: number;
  readonly length: number;
  /** Of its bytes, hex. */
  readonly sha256: string;
}

/** What one product or table put into the weights file: the unit in which an interrupted compilation goes on. */
export interface WrittenPart {
  readonly name: string;
  readonly regions: readonly WrittenRegion[];
}

const count = z.number().int().nonnegative();
const partSchema: z.ZodType<WrittenPart> = z.object({
  name: z.string(),
  regions: z.array(z.object({ offset: count, length: count, sha256: z.string() })),
});

/**
 * Says which parts of a weights file are whole: a line each, in the order in which they were written. Only who reads a part's
 * bytes again and finds their checksums may believe it: after a crash of the machine a line may stand where its bytes do not.
 */
export class PartJournal {
  private readonly path: string;

  constructor(folder: string) {
    this.path = join(folder, JOURNAL_FILE);
  }

  /** What an earlier attempt left. A line that is cut off is left out, with all after it. */
  async read(): Promise<WrittenPart[]> {
    const text = await readFile(this.path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return '';
      throw error;
    });
    const parts: WrittenPart[] = [];
    for (const line of text.split('\n').slice(0, -1)) {
      const part = parsePart(line);
      if (part === undefined) break;
      parts.push(part);
    }
    return parts;
  }

  /** Leaves nothing but these parts; to be called before bytes of another are written over. */
  async reset(parts: readonly WrittenPart[]): Promise<void> {
    const unfinished = `${this.path}.new`;
    await writeFile(unfinished, parts.map(toLine).join(''));
    await rename(unfinished, this.path);
  }

  /** The bytes of the part are written. */
  async add(part: WrittenPart): Promise<void> {
    await appendFile(this.path, toLine(part));
  }

  /** All is written, and nothing to go on with. */
  async remove(): Promise<void> {
    await rm(this.path, { force: true });
  }
}

function toLine(part: WrittenPart): string {
  return `${JSON.stringify(part)}\n`;
}

function parsePart(line: string): WrittenPart | undefined {
  try {
    return partSchema.parse(JSON.parse(line));
  } catch {
    return undefined; // cut off, or not ours: the part is written again
  }
}
