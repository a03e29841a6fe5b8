import { UseCreditOrder } from './use-credit-order.js';

/** What a cache of some room would have held, had it gone by one credit. It has no blocks, only keys of a sample of them. */
export class ShadowCache<Key> {
  /** Uses that found their key here; old ones count less. */
  hits = 0;
  private readonly order: UseCreditOrder<Key>;

  /** @param creditPerBlock  as in `AgedFrequency` */
  constructor(
    readonly creditPerBlock: number,
    rememberedPerKey: number,
  ) {
    this.order = new UseCreditOrder(rememberedPerKey);
  }

  /**
   * @param room    keys it may hold after it
   * @param credit  on the clock of uses
   */
  use(key: Key, now: number, room: number, credit: number): void {
    if (this.order.has(key)) this.hits++;
    this.order.use(key, now);
    while (this.order.size > room) {
      const { value } = this.order.inOrder(credit).next();
      this.order.remove(value!); // it is not empty
    }
  }
}
