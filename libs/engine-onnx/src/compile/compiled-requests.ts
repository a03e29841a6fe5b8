import { createHash, randomUUID } from 'node:crypto';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { COMPILER_REVISION } from '../compiled-model.js';

/** What was asked for, before anything of the source is read. */
export interface CompileRequest {
  /** `ResolvedModel.contentKey`. */
  readonly contentKey: string;
  readonly weights: string;
  /** `atMost` is the default, which then limits what the model was made for. */
  readonly contextTokens: number | { readonly atMost: number };
}

/**
 * Remembers which compiled model a request led to: a start that finds it does not read the source, whose header alone takes
 * 0.1 to 0.2 s where a vocabulary is in it. A small hidden file each, beside the compiled models.
 */
export class CompiledRequests {
  constructor(private readonly storeFolder: string) {}

  /** @returns the key in the store, `undefined` when the request is new; the store may have lost it since */
  async find(request: CompileRequest): Promise<string | undefined> {
    try {
      return await readFile(this.pathOf(request), 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  }

  async remember(request: CompileRequest, key: string): Promise<void> {
    const path = this.pathOf(request);
    const unfinished = `${path}-${randomUUID()}`;
    try {
      await writeFile(unfinished, key);
      await rename(unfinished, path);
    } catch (error) {
      // A read-only store serves as well; only the next start is slower.
      if (!['EACCES', 'EPERM', 'EROFS'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    }
  }

  private pathOf({ contentKey, weights, contextTokens }: CompileRequest): string {
    const asked = JSON.stringify([COMPILER_REVISION, contentKey, weights, contextTokens]);
    return join(this.storeFolder, `.request-${createHash('sha256').update(asked).digest('hex').slice(0, 32)}`);
  }
}
