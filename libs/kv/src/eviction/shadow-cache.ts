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
   * @param earlierUses  as in `UseCreditOrder.use`
   */
  use(key: Key, now: number, room: number, credit: number, earlierUses: number): void {
    if (this.order.has(key)) this.hits++;
    this.order.use(key, now, earlierUses);
    while (this.order.size > room) {
      this.order.remove(this.order.first(credit)!); // it is not empty
    }
  }
}
