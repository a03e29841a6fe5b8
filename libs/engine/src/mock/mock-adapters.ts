import { createHash } from 'node:crypto';
import type { AdapterRoom, OpenedAdapter } from '../adapters/adapter-room.js';

const RANK = 8;
/** As if it were one. */
const BYTES = 1_048_576;

/** Adapters of which nothing is read: the name of the source is their content. Answers with another adapter are others. */
export class MockAdapters implements AdapterRoom {
  private readonly versions = new Map<number, string>();

  constructor(readonly slots: number) {}

  async open(source: string): Promise<OpenedAdapter> {
    const version = createHash('sha256').update(source).digest('hex');
    return {
      ...{ version, rank: RANK, bytes: BYTES },
      load: async (slot) => void this.versions.set(slot, version),
      close: async () => {},
    };
  }

  async unload(slot: number): Promise<void> {
    this.versions.delete(slot);
  }

  /** What stands in a slot, as numbers; none for the model alone. */
  idsOf(slot: number | undefined): readonly number[] {
    const version = slot === undefined ? undefined : this.versions.get(slot);
    return version === undefined ? [] : [...Buffer.from(version, 'hex')];
  }
}
