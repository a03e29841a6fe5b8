import { type Generation, type Sequence } from './generation.js';

/** Generations that still have sequences without a slot: by priority, then by arrival. Bounded by the step loop. */
export class WaitingQueue {
  private readonly generations: Generation[] = [];

  get length(): number {
    return this.generations.length;
  }

  /** A preempted one comes to where it stood by its arrival. */
  push(generation: Generation): void {
    if (this.generations.includes(generation)) return;
    let at = this.generations.length;
    while (at > 0 && isBefore(generation, this.generations[at - 1]!)) at--;
    this.generations.splice(at, 0, generation);
  }

  remove(generation: Generation): void {
    const at = this.generations.indexOf(generation);
    if (at >= 0) this.generations.splice(at, 1);
  }

  ids(): string[] {
    return this.generations.map(({ id }) => id);
  }

  *sequences(): Iterable<Sequence> {
    for (const generation of this.generations) {
      for (const sequence of generation.sequences) if (sequence.phase === 'waiting') yield sequence;
    }
  }
}

function isBefore(a: Generation, b: Generation): boolean {
  return (
    a.request.priority > b.request.priority || (a.request.priority === b.request.priority && a.arrivedUs < b.arrivedUs)
  );
}
