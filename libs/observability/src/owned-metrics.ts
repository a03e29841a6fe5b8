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

/**
 * Lets series of a counter begin at 0: one that begins with its first count shows no increase then, and no alert about it.
 * @param values  all that the label can have
 */
export function beginAtZero<Label extends string>(
  counter: Counter<Label>,
  label: NoInfer<Label>,
  values: readonly string[],
): void {
  for (const value of values) counter.inc({ [label]: value } as Partial<Record<Label, string>>, 0);
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
