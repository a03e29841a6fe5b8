import { Counter, Gauge } from 'prom-client';
import { ownedName } from './owned-name.js';

/** A counter whose name is taken over from an earlier app in this process, if there was one. */
export function ownedCounter<Label extends string = never>(
  name: string,
  help: string,
  ...labelNames: Label[]
): Counter<Label> {
  return new Counter({ name: ownedName(name), help, labelNames });
}

/** A value that is read when it is scraped. */
export function readGauge(name: string, help: string, read: () => number): void {
  new Gauge({
    name: ownedName(name),
    help,
    collect() {
      this.set(read());
    },
  });
}

/**
 * A count that somebody else keeps, read when it is scraped.
 * @param read  never less than before, within one life of the process
 */
export function readCounter(name: string, help: string, read: () => number): void {
  new Counter({
    name: ownedName(name),
    help,
    collect() {
      this.reset();
      this.inc(read());
    },
  });
}
