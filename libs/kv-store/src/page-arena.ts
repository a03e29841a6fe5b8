/** Chosen: wastes at most 2 % of a block of the smallest real model (737 kB), and keeps lists of pages short. */
export const PAGE_BYTES = 16 * 1024;
const PAGES_PER_SLAB = 4_096;

/** The first page of a stored value; the arena knows those that follow. */
export type PageChain = number;

const END = -1;

/**
 * Memory for values of any length in pages of one size, so that nothing has to be moved or lies unused between values: whatever was
 * given back serves any other value. Values are chains of pages. The memory is taken in slabs of 64 MiB as it is needed, and kept.
 */
export class PageArena {
  readonly pageCount: number;
  private readonly slabs: Buffer[] = [];
  /** The page after each in its chain, or in the list of free ones. */
  private readonly nextPages: Int32Array;
  private firstFree = END;
  private freeCount = 0;
  /** Pages that were ever used: those from here on are fresh. */
  private usedCount = 0;

  /** @param bytes  most that is taken, in whole pages; at least one */
  constructor(bytes: number) {
    this.pageCount = Math.floor(bytes / PAGE_BYTES);
    if (this.pageCount < 1) throw new RangeError(`an arena has at least ${PAGE_BYTES} bytes, not ${bytes}`);
    this.nextPages = new Int32Array(this.pageCount).fill(END);
  }

  static pagesOf(byteLength: number): number {
    return Math.max(1, Math.ceil(byteLength / PAGE_BYTES));
  }

  get freePages(): number {
    return this.pageCount - this.usedCount + this.freeCount;
  }

  /** @returns undefined when there is no room for it */
  store(bytes: Uint8Array): PageChain | undefined {
    const pages = PageArena.pagesOf(bytes.length);
    if (pages > this.freePages) return undefined;
    const first = this.takePage();
    let page = first;
    for (let index = 0; ; ) {
      this.placeOf(page).set(bytes.subarray(index * PAGE_BYTES, (index + 1) * PAGE_BYTES));
      if (++index === pages) break;
      const next = this.takePage();
      this.nextPages[page] = next;
      page = next;
    }
    this.nextPages[page] = END;
    return first;
  }

  /** A copy of a value. */
  load(first: PageChain, byteLength: number): Buffer {
    const bytes = Buffer.allocUnsafeSlow(byteLength);
    let page = first;
    for (let at = 0; at < byteLength; at += PAGE_BYTES) {
      this.placeOf(page).copy(bytes, at, 0, Math.min(PAGE_BYTES, byteLength - at));
      page = this.nextPages[page]!;
    }
    return bytes;
  }

  /** A value is not needed any more. */
  free(first: PageChain): void {
    let last = first;
    let pages = 1;
    for (; this.nextPages[last] !== END; pages++) last = this.nextPages[last]!;
    this.nextPages[last] = this.firstFree;
    this.firstFree = first;
    this.freeCount += pages;
  }

  private takePage(): number {
    if (this.freeCount === 0) return this.usedCount++;
    const page = this.firstFree;
    this.firstFree = this.nextPages[page]!;
    this.freeCount--;
    return page;
  }

  private placeOf(page: number): Buffer {
    const slab = Math.floor(page / PAGES_PER_SLAB);
    const pages = Math.min(PAGES_PER_SLAB, this.pageCount - slab * PAGES_PER_SLAB);
    this.slabs[slab] ??= Buffer.allocUnsafeSlow(pages * PAGE_BYTES); // fresh pages are used in order: no slab is skipped
    const offset = (page % PAGES_PER_SLAB) * PAGE_BYTES;
    return this.slabs[slab].subarray(offset, offset + PAGE_BYTES);
  }
}
