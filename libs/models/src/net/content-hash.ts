import { createHash, type Hash } from 'node:crypto';

/** What the content of a file must hash to. The hub gives SHA-256 of large files and git's blob id of small ones. */
export interface Digest {
  readonly algorithm: 'sha256' | 'git-sha1';
  /** In lower case. */
  readonly hex: string;
}

/** Hashes content as it passes by: always SHA-256, and git's blob id where that is what we know. */
export class ContentHash {
  private readonly sha256 = createHash('sha256');
  private readonly gitSha1: Hash | undefined;

  /** @param bytes  size of the whole content; git's hash begins with it */
  constructor(
    private readonly digest: Digest | undefined,
    bytes: number | undefined,
  ) {
    if (digest?.algorithm === 'git-sha1' && bytes !== undefined) {
      this.gitSha1 = createHash('sha1').update(`blob ${bytes}\0`);
    }
  }

  update(chunk: Uint8Array): void {
    this.sha256.update(chunk);
    this.gitSha1?.update(chunk);
  }

  /** May be called once. */
  finish(): { readonly sha256: string; readonly isAsExpected: boolean } {
    const sha256 = this.sha256.digest('hex');
    const found = this.digest?.algorithm === 'git-sha1' ? this.gitSha1?.digest('hex') : sha256;
    return { sha256, isAsExpected: this.digest === undefined || found === undefined || found === this.digest.hex };
  }
}
