import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AgedFrequency } from './aged-frequency.js';
import { createEviction, EVICTIONS, type Eviction } from './create-eviction.js';
import type { EvictionPolicy, KeptRequest } from './eviction-policy.js';

/** Blocks are numbers of a tree in which block n's parent is n >> 1. */
const chainOf = (leaf: number) => {
  const chain: number[] = [];
  for (let id = leaf; id > 0; id >>= 1) chain.unshift(id);
  return chain;
};
const prompts = fc.array(fc.integer({ min: 1, max: 255 }), { maxLength: 120 });

/** A cache of whole chains: what is held is always the beginning of each. */
class Cache {
  readonly held = new Set<number>();
  hits = 0;

  constructor(
    private readonly room: number,
    private readonly policy: EvictionPolicy<number>,
  ) {}

  serve(chain: readonly number[], request?: KeptRequest): void {
    this.keep(this.begin(chain), request);
  }

  begin<Chain extends readonly number[]>(chain: Chain): Chain {
    const known = chain.findIndex((block) => !this.held.has(block));
    const found = known < 0 ? chain : chain.slice(0, known);
    this.hits += found.length;
    this.policy.found(found);
    return chain;
  }

  keep(chain: readonly number[], request?: KeptRequest): void {
    for (const block of chain) this.held.add(block);
    this.policy.kept(chain, request);
    while (this.held.size > this.room) this.evict();
  }

  private evict(): void {
    const [victim] = this.policy.inOrder();
    if (victim === undefined) throw new Error('nothing may go');
    this.held.delete(victim);
    this.policy.forget(victim);
  }
}

describe.each(EVICTIONS)('eviction by %s', (name: Eviction) => {
  it('given any prompts, then it orders exactly what is held, and lets leaves go first', () =>
    fc.assert(
      fc.property(prompts, fc.integer({ min: 8, max: 40 }), (leaves, room) => {
        const policy = createEviction(name, (block: number) => block);
        const cache = new Cache(room, policy);
        for (const leaf of leaves) {
          cache.serve(chainOf(leaf), { answerTokens: 1 + (leaf % 40), earlierUses: [leaf % 7, leaf % 5, leaf % 3] });
          const order = [...policy.inOrder()];
          expect(order.toSorted((a, b) => a - b)).toEqual([...cache.held].sort((a, b) => a - b));
          for (const [at, block] of order.entries()) {
            const parent = block >> 1;
            if (parent > 0) expect(order.indexOf(parent)).toBeGreaterThan(at);
          }
        }
      }),
      { numRuns: 200 },
    ));

  it('given prompts that are computed at the same time, when they end in any order, then leaves go first all the same', () =>
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 1, max: 255 }), fc.nat(5), fc.boolean()), { maxLength: 200 }),
        (turns) => {
          const policy = createEviction(name, (block: number) => block);
          const cache = new Cache(24, policy);
          // Among prompts with short answers that all come again, so that long answers mean something.
          for (let again = 0; again < 2; again++)
            for (let leaf = 256; leaf < 266; leaf++) cache.serve(chainOf(leaf), { answerTokens: 2 });
          const running: number[][] = [];
          for (const [leaf, pick, grows] of turns) {
            if (running.length < 4) running.push(cache.begin(chainOf(leaf)));
            const chain = running[pick % running.length]!;
            const earlierUses = [leaf % 6, leaf % 4];
            if (grows) cache.keep(chain.slice(0, 1 + (leaf % chain.length)), { earlierUses });
            else {
              const answerTokens = leaf % 3 === 0 ? 2 : 900;
              cache.keep(running.splice(pick % running.length, 1)[0]!, { answerTokens, earlierUses });
            }
            const order = [...policy.inOrder()];
            expect(order.toSorted((a, b) => a - b)).toEqual([...cache.held].sort((a, b) => a - b));
            for (const [at, block] of order.entries()) {
              const parent = block >> 1;
              if (parent > 0) expect(order.indexOf(parent)).toBeGreaterThan(at);
            }
          }
        },
      ),
      { numRuns: 300 },
    ));

  it('given blocks it does not know, when they are forgotten, then nothing happens', () => {
    const policy = createEviction(name, (block: number) => block);
    policy.kept([1, 2]);
    policy.forget(7);
    expect([...policy.inOrder()]).toEqual([2, 1]);
  });
});

describe('least frequently used with dynamic aging', () => {
  const policy = () => new AgedFrequency((block: string) => block);

  it('lets go first what was used once, and later what was used often but is not any more', () => {
    const aged = policy();
    aged.kept(['old', 'often']);
    for (let times = 0; times < 3; times++) aged.found(['often']);
    for (const block of ['a', 'b', 'c', 'd']) aged.kept([block]);
    expect([...aged.inOrder()].slice(0, 2)).toEqual(['old', 'a']);
    expect([...aged.inOrder()].at(-1)).toBe('often');
    for (let at = 0; at < 40; at++) {
      const [victim] = aged.inOrder();
      aged.forget(victim!);
      aged.kept([`new ${at}`]);
    }
    expect([...aged.inOrder()]).not.toContain('often');
  });

  it('counts one use however often a growing request keeps its blocks', () => {
    const aged = policy();
    aged.kept(['once']);
    for (let times = 0; times < 5; times++) aged.kept(['once']);
    aged.kept(['twice']);
    aged.found(['twice']);
    aged.kept(['last']);
    expect([...aged.inOrder()]).toEqual(['once', 'last', 'twice']);
  });

  it('remembers what it let go: who comes again has been used before', () => {
    const aged = policy();
    aged.kept(['back']);
    aged.kept(['a']);
    aged.forget('back');
    aged.kept(['back']);
    aged.kept(['b']);
    expect([...aged.inOrder()]).toEqual(['a', 'b', 'back']);
  });

  /** Conversations of many turns among prompts that nobody continues, or a loop over somewhat more than fits. */
  const hitsOf = (name: Eviction, room: number, chains: Iterable<readonly number[]>) => {
    const cache = new Cache(
      room,
      createEviction(name, (block: number) => block),
    );
    for (const chain of chains) cache.serve(chain);
    return cache.hits;
  };
  function* chatsAmongSingles(rounds: number): Generator<number[]> {
    let single = 1_000_000;
    for (let round = 0; round < rounds; round++) {
      for (let chat = 0; chat < 20; chat++) yield [1_000 + chat, 2_000 + chat, 3_000 + chat];
      for (let each = 0; each < 120; each++) yield [single++, single++];
    }
  }
  function* driftingBursts(count: number): Generator<number[]> {
    for (let burst = 0; burst < count; burst++) {
      for (let again = 0; again < 6; again++) yield [burst * 10, burst * 10 + 1];
      if (burst > 30) yield [(burst - 30) * 10, (burst - 30) * 10 + 1];
    }
  }

  it('finds more than least recently used where some prompts go on and most do not', () => {
    expect(hitsOf('lru', 200, chatsAmongSingles(60))).toBe(0);
    expect(hitsOf('lfuda', 200, chatsAmongSingles(60))).toBeGreaterThan(2_000);
  });

  it('keeps ends of prompts like other blocks where they come back', () => {
    const cache = new Cache(
      64,
      createEviction('lfuda', (block: number) => block),
    );
    const promptOf = (first: number) => [first, first + 1, first + 2, first + 3];
    for (let round = 0; round < 300; round++) {
      for (let prompt = 0; prompt < 12; prompt++) cache.serve(promptOf(1_000 + 10 * prompt));
      cache.serve(promptOf(100_000 + 10 * round));
      cache.serve(promptOf(100_000 + 10 * Math.max(0, round - 1)));
    }
    expect(cache.held).toContain(100_000 + 10 * 299 + 3);
  });

  it('lets ends go first where others come back and they do not; a block whose prompt went on is none', () => {
    const aged = policy();
    for (let chat = 0; chat < 200; chat++) {
      const [first, second] = [`${chat} a`, `${chat} b`];
      aged.kept([first]);
      aged.kept([first, second]);
      if (chat % 2 === 0) aged.found([first]);
    }
    const order = [...aged.inOrder()];
    const firstHundred = order.slice(0, 100);
    expect(firstHundred.every((block) => block.endsWith('b'))).toBe(true);
    for (let chat = 0; chat < 200; chat++) expect(order.indexOf(`${chat} b`)).toBeLessThan(order.indexOf(`${chat} a`));
  });

  const prompt = (name: string) => [`${name} a`, `${name} b`, `${name} c`];
  /** After prompts with short answers that come back, and prompts with long ones that do not. */
  const taughtAnswers = () => {
    const aged = policy();
    for (let each = 0; each < 40; each++) {
      aged.kept(prompt(`asked ${each}`), { answerTokens: 5 });
      aged.found([`asked ${each} a`, `asked ${each} b`]);
      aged.kept(prompt(`summed up ${each}`), { answerTokens: 500 });
    }
    return aged;
  };

  it('lets no block go before one of another prompt behind it, when both computed it at the same time', () => {
    const aged = taughtAnswers();
    aged.kept(['both a', 'both b', 'growing']);
    aged.kept(['both a', 'both b', 'long'], { answerTokens: 500 });
    const order = [...aged.inOrder()];
    expect(order.indexOf('long')).toBeLessThan(order.indexOf('growing'));
    expect(order.indexOf('growing')).toBeLessThan(order.indexOf('both b'));
    expect(order.indexOf('both b')).toBeLessThan(order.indexOf('both a'));
  });

  it('keeps what a prompt with a short answer had, whatever another one is like that computed it, too', () => {
    const aged = taughtAnswers();
    aged.kept(['older'], { answerTokens: 5 });
    aged.kept(['both a', 'both b'], { answerTokens: 5 });
    aged.kept(['both a', 'both b', 'long a', 'long b'], { answerTokens: 500 });
    const order = [...aged.inOrder()];
    expect(order.indexOf('long a')).toBeLessThan(order.indexOf('older'));
    expect(order.indexOf('both b')).toBeGreaterThan(order.indexOf('older'));
  });

  it('counts a block as used as often as what is remembered of the one behind it', () => {
    const aged = policy();
    aged.kept(['start', 'middle', 'end']);
    aged.found(['start', 'middle', 'end']);
    aged.forget('end');
    aged.forget('middle');
    aged.kept(['start', 'middle']);
    aged.forget('middle');
    aged.kept(['start', 'middle', 'end']);
    expect([...aged.inOrder()]).toEqual(['end', 'middle', 'start']);
  });

  it('keeps what other prompts of the fleet had, too, although it is new here, and lets the rest go as if nothing were known', () => {
    const aged = policy();
    aged.kept(['known', 'own'], { earlierUses: [1] });
    aged.kept(['once']);
    aged.kept(['later known']);
    aged.kept(['later known'], { earlierUses: [1] });
    expect([...aged.inOrder()]).toEqual(['own', 'once', 'known', 'later known']);
    aged.found(['once']);
    expect([...aged.inOrder()].at(-1)).toBe('once'); // no less than what was used as often
    aged.kept(['often'], { earlierUses: [1, 1, 1, 1, 1] });
    aged.found(['often']);
    expect([...aged.inOrder()].at(-1)).toBe('often');
  });

  it('lets go first what long answers belong to, where prompts with short ones come back and they do not', () => {
    const aged = taughtAnswers();
    aged.kept(prompt('older'), { answerTokens: 5 });
    aged.kept(prompt('growing'));
    aged.kept(prompt('long'), { answerTokens: 500 });
    const order = [...aged.inOrder()];
    const placeOf = (block: string) => order.indexOf(block);
    expect(placeOf('long a')).toBeLessThan(placeOf('older b'));
    expect(placeOf('long a')).toBeLessThan(placeOf('growing b'));
    expect(placeOf('older a')).toBeLessThan(placeOf('growing a'));
    expect(placeOf('long b')).toBeLessThan(placeOf('long a'));
    aged.found(prompt('long'));
    expect([...aged.inOrder()].indexOf('long a')).toBeGreaterThan([...aged.inOrder()].indexOf('older a'));
  });

  it('finds about as much where what was used often is not used again: it learns how little a use is worth', () => {
    const lru = hitsOf('lru', 64, driftingBursts(4_000));
    expect(hitsOf('lfuda', 64, driftingBursts(4_000))).toBeGreaterThan(0.98 * lru);
  });
});
