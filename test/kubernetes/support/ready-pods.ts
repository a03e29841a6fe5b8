import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { ControlPlane } from './control-plane.js';

const FIELDS = [
  '.type',
  '.object.metadata.labels.app\\.kubernetes\\.io/component',
  '.object.metadata.name',
  '.object.metadata.deletionTimestamp',
  '.object.status.conditions[?(@.type=="Ready")].status',
];

interface Count {
  fewest: number;
  most: number;
}

/** Counts the pods of each component that are ready and are not being ended, from each event of a watch. */
export class ReadyPods {
  private readonly componentOf = new Map<string, string>();
  private readonly counts = new Map<string, Count>();
  private readonly watch;
  private readonly lines;
  private events = 0;

  /** @param wanted  pods of each component at present, all of them ready */
  constructor(
    plane: ControlPlane,
    namespace: string,
    private readonly wanted: Readonly<Record<string, number>>,
  ) {
    const columns = `jsonpath=${FIELDS.map((field) => `{${field}}`).join('|')}{"\\n"}`;
    const args = ['pods', '--namespace', namespace, '--watch', '--output-watch-events', '--output', columns];
    this.watch = plane.watch('get', ...args);
    this.lines = createInterface({ input: this.watch.stdout! }).on('line', (line) => this.take(line));
  }

  /**
   * What was seen since all were there.
   * @returns the fewest and the most that were ready at once, by component, and how many events told it
   */
  async end(): Promise<{ counts: Record<string, Count>; events: number }> {
    this.watch.kill();
    await once(this.lines, 'close'); // what holds up this process holds up the reading
    return { counts: Object.fromEntries(this.counts), events: this.events };
  }

  private take(line: string): void {
    const [type, component = '', name = '', deleted, isReady] = line.split('|');
    this.events++;
    if (type !== 'DELETED' && deleted === '' && isReady === 'True') this.componentOf.set(name, component);
    else this.componentOf.delete(name);
    const now = [...this.componentOf.values()].filter((one) => one === component).length;
    const count = this.counts.get(component);
    if (count !== undefined) {
      count.fewest = Math.min(count.fewest, now);
      count.most = Math.max(count.most, now);
    } else if (now === this.wanted[component]) this.counts.set(component, { fewest: now, most: now });
  }
}
