import { describe, expect, it } from 'vitest';
import { PrefixHashes } from '#lib/kv';
import { KvFollower } from './kv-follower.js';
import { describeKvFollowing, type FollowedHolder, HolderStore } from './kv-following.conformance.js';
import { KvIndex } from './kv-index.js';

class FollowedWorker implements FollowedHolder {
  private index = new KvIndex({ capacityBlocks: 64, capacityWorkers: 2 });
  private follower = new KvFollower(this.index);

  get heldBlocks() {
    while (this.index.sweep(64)); // what was forgotten is cleared a part at a time
    return this.index.size;
  }

  holds = (block: Uint8Array) => this.index.leadingBlocks(PrefixHashes.of([block]), [{ workerId: 'w' }])[0] === 1;
  apply = (events: Parameters<KvFollower['apply']>[1]) => this.follower.apply('w', events);
  holderRestarted = () => this.follower.forget('w');
  streamEnded = () => this.follower.forget('w');
  schedulerRestarted = () => {
    this.index = new KvIndex({ capacityBlocks: 64, capacityWorkers: 2 });
    this.follower = new KvFollower(this.index);
  };
}

describeKvFollowing('KvFollower', () => new FollowedWorker());

describe('KvFollower', () => {
  it('takes nothing but a snapshot after a gap', () => {
    const store = new HolderStore();
    const follower = new KvFollower(new KvIndex({ capacityBlocks: 64, capacityWorkers: 2 }));
    const [a, b, c] = [1, 2, 3].map((seed) => Uint8Array.from({ length: 16 }, () => seed)) as [
      Uint8Array,
      Uint8Array,
      Uint8Array,
    ];
    expect(follower.apply('w', store.change(a))).toBe('current');
    store.change(b);
    expect(follower.apply('w', store.change(c))).toBe('needs-snapshot');
    expect(follower.apply('w', store.heartbeat())).toBe('needs-snapshot');
    expect(store.snapshot().map((part) => follower.apply('w', part))).toEqual(['current']);
    expect(follower.apply('w', store.heartbeat())).toBe('current');
  });
});
