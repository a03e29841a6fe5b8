import { type Generation, type Sequence } from './generation.js';

/** Generations that still have sequences without a slot: by priority, then by arrival. Bounded by the step loop. */
export class WaitingQueue {
  private readonly generations: Generation[] = [];

  get length(): number {
    return this.generations.length;
  }

  push(generation: Generation): void {
    const { priority } = generation.request;
    let at = this.generations.length;
    while (at > 0 && this.generations[at - 1]!.request.priority < priority) at--;
    this.generations.splice(at, 0, generation);
  }

  remove(generation: Generation): void {
    const at = this.generations.indexOf(generation);
    if (at >= 0) this.generations.splice(at, 1);
  }

  *sequences(): Iterable<Sequence> {
    for (const generation of this.generations) {
      for (const sequence of generation.sequences) if (sequence.phase === 'waiting') yield sequence;
    }
  }
}
