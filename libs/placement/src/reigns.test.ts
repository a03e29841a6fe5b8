import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Reigns, schedulersInOrder } from './reigns.js';

const TARGETS = ['a:1', 'b:1', 'c:1'];
const models = Array.from({ length: 300 }, (_, index) => `model-${index}`);

describe('the order of schedulers', () => {
  it('spreads models over all, and one that goes moves its own models only', () => {
    const first = models.map((model) => schedulersInOrder(model, TARGETS)[0]!);
    for (const target of TARGETS) expect(first.filter((one) => one === target).length).toBeGreaterThan(50);
    const without = models.map((model) => schedulersInOrder(model, TARGETS.slice(1))[0]!);
    for (const [index, target] of first.entries()) if (target !== 'a:1') expect(without[index]).toBe(target);
  });
});

/** A worker that guards itself: it honours no lease of an earlier term than it knows of. */
class Worker {
  term = 0;
  readonly honoured: { scheduler: string; term: number }[] = [];

  hear(term: number): void {
    this.term = Math.max(this.term, term);
  }

  submit(scheduler: string, term: number): boolean {
    if (term < this.term) return false;
    this.hear(term);
    this.honoured.push({ scheduler, term });
    return true;
  }
}

describe('Reigns', () => {
  it('is alone where there is one scheduler: no terms', () => {
    const reigns = new Reigns('a:1', ['a:1']);
    expect(reigns.claim('m', 1_000)).toEqual({ term: 0, isNew: false });
    expect(reigns.ownerOf('m')).toBe('a:1');
  });

  it('given schedulers that die, return, are cut off and sleep, then no worker goes back to an earlier reign, and in the end all agree on one', () =>
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            scheduler: fc.nat(2),
            worker: fc.nat(3),
            act: fc.constantFrom('report', 'grant', 'grant', 'submit', 'restart', 'sleep'),
          }),
          { maxLength: 150 },
        ),
        (steps) => {
          const schedulers = TARGETS.map((target) => new Reigns(target, TARGETS));
          const workers = Array.from({ length: 4 }, () => new Worker());
          const leases: { scheduler: string; worker: number; term: number }[] = [];
          for (const [nowMs, { scheduler, worker, act }] of steps.entries()) {
            const reigns = schedulers[scheduler]!;
            const target = TARGETS[scheduler]!;
            if (act === 'report') {
              reigns.noteTerm('m', workers[worker]!.term);
              reigns.noteLiving(new Set(TARGETS));
            } else if (act === 'sleep') {
              reigns.noteLiving(new Set([target])); // it sees nobody, and believes that it reigns
            } else if (act === 'restart') {
              schedulers[scheduler] = new Reigns(target, TARGETS);
            } else if (act === 'grant' && reigns.ownerOf('m') === target) {
              const { term, isNew } = reigns.claim('m', nowMs);
              if (isNew) workers[worker]!.hear(term); // others hear of it with their first lease, or never
              leases.push({ scheduler: target, worker, term });
            } else if (act === 'submit') {
              const lease = leases.shift(); // it may have been under way for long
              if (lease !== undefined) workers[lease.worker]!.submit(lease.scheduler, lease.term);
            }
          }
          for (const { honoured } of workers) {
            const terms = honoured.map(({ term }) => term);
            expect(terms).toEqual([...terms].sort((a, b) => a - b));
            const byTerm = Map.groupBy(honoured, ({ term }) => term);
            for (const own of byTerm.values()) expect(new Set(own.map(({ scheduler }) => scheduler)).size).toBe(1);
          }
          // Everybody is heard of again.
          for (const reigns of schedulers) {
            reigns.noteLiving(new Set(TARGETS));
            for (const { term } of workers) reigns.noteTerm('m', term);
          }
          const owners = new Set(schedulers.map((reigns) => reigns.ownerOf('m')));
          expect(owners.size).toBe(1);
          const owner = schedulers[TARGETS.indexOf([...owners][0]!)]!;
          const { term } = owner.claim('m', 0);
          for (const worker of workers) expect(worker.submit('owner', term)).toBe(true);
        },
      ),
      { numRuns: 500 },
    ));
});
