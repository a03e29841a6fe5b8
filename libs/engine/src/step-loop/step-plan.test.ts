import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type LiveSequenceParts, liveSequence } from '../../testing/live-sequence.js';
import type { ModelRunnerLimits } from '../model-runner.js';
import { planAdmissions } from './admission-plan.js';
import { ChunkPace } from './chunk-pace.js';
import type { Sequence } from './generation.js';
import { KvPages } from './kv-pages.js';
import type { PlanningView } from './planning-view.js';
import { RestingSlots } from './resting-slots.js';
import { planMoves, slotsAfter } from './slot-moves.js';
import { planStep } from './step-plan.js';

const LIMITS: ModelRunnerLimits = {
  contextTokens: 1_000,
  vocabularySize: 64,
  slots: 8,
  decodeRows: 8,
  chunkTokens: 16,
  kvBytesPerToken: 1,
  kvTotalBytes: 1_000,
  kvPageTokens: 4,
};

function viewOf(parts: Partial<PlanningView>): PlanningView {
  const { limits = LIMITS, live = [] } = parts;
  const pages = new KvPages(limits);
  const taken = live.map(({ slot }) => slot);
  return {
    limits,
    pace: new ChunkPace(limits),
    pages,
    freeSlots: Array.from({ length: limits.slots }, (_, slot) => slot).filter((slot) => !taken.includes(slot)),
    resting: new RestingSlots(),
    freeKvTokens: pages.totalTokens - live.reduce((sum, { kvTokens }) => sum + kvTokens, 0),
    openingCount: 0,
    headroomTokens: 64,
    waiting: [],
    live,
    prefilling: live.filter(({ phase }) => phase === 'prefill'),
    canCopySlots: true,
    canMoveSlots: true,
    ...parts,
  };
}

/** Sequences in slots 0, 1, … whose memory is full: each needs a page for its next token. */
const full = (...parts: LiveSequenceParts[]) =>
  parts.map((part, slot) => liveSequence({ slot, promptTokens: 8, kvTokens: 8, ...part }));

const stepOf = (view: PlanningView) => {
  const plan = planStep(view);
  if (plan.kind === 'deferred') throw new Error(`deferred: ${plan.reason}`);
  return plan;
};

describe('planStep', () => {
  it('given memory for all, when rows decode, then each slot that is full grows by a page', () => {
    const live = full({}, {}, { kvTokens: 12 });
    const { growths, preempted, decodes } = stepOf(viewOf({ live, freeKvTokens: 100 }));
    expect(growths).toEqual([
      { sequence: live[0], kvTokens: 12 },
      { sequence: live[1], kvTokens: 12 },
    ]);
    expect([preempted, decodes]).toEqual([[], [live]]);
  });

  it('given no memory, when rows decode, then the latest admitted is preempted for them', () => {
    const live = full({}, {}, {});
    const { growths, preempted, decodes } = stepOf(viewOf({ live, freeKvTokens: 4 }));
    expect(preempted).toEqual([live[2]]);
    expect(growths.map(({ sequence }) => sequence)).toEqual([live[0], live[1]]);
    expect(decodes).toEqual([[live[0], live[1]]]);
  });

  it('given one that waits for its reader, when memory lacks, then it is preempted before any that runs', () => {
    const live = full({}, { credit: 0 }, {}, {});
    expect(stepOf(viewOf({ live, freeKvTokens: 4 })).preempted).toEqual([live[1]]);
  });

  it('given one that is alone in needing memory and the latest, when there is none, then it is preempted itself', () => {
    const live = full({ kvTokens: 12 }, { kvTokens: 12 }, {});
    const { preempted, decodes } = stepOf(viewOf({ live, freeKvTokens: 0 }));
    expect([preempted, decodes]).toEqual([[live[2]], [[live[0], live[1]]]]);
  });

  it('given slots that are being opened, when memory lacks, then they are not taken and the row waits a step', () => {
    const live = [...full({ kvTokens: 12 }, {}), liveSequence({ slot: 2, phase: 'opening', kvTokens: 8 })];
    const { preempted, decodes } = stepOf(viewOf({ live, freeKvTokens: 0, openingCount: 1 }));
    expect([preempted, decodes]).toEqual([[], [[live[0]]]]);
  });

  it('given a long prompt, when others decode, then its chunk is the shorter the fewer they are, and whole when there are none', () => {
    const limits = { ...LIMITS, chunkTokens: 64, chunkBesideDecode: { leastTokens: 10, tokensPerRow: 4 } };
    const tokensBeside = (...rows: LiveSequenceParts[]) => {
      const prompt = liveSequence({ slot: 7, phase: 'prefill', promptTokens: 100, kvTokens: 104 });
      const [chunk] = stepOf(viewOf({ limits, live: [...full(...rows), prompt] })).prefills.flat();
      return chunk!.to - chunk!.from;
    };
    expect([tokensBeside(), tokensBeside({}), tokensBeside({}, {}, {}, {})]).toEqual([64, 10, 16]);
    expect(tokensBeside({ credit: 0 })).toBe(64);
  });

  describe('prompts of which nothing is computed, in neighbouring slots', () => {
    const limits = {
      ...LIMITS,
      chunkTokens: 32,
      chunkBesideDecode: { leastTokens: 10, tokensPerRow: 4 },
      promptRun: { mostPrompts: 4, mostRows: 64 },
    };
    /** Slots of each run of prompts, beside `rows` that decode. */
    const runsOf = (prompts: readonly LiveSequenceParts[], rows = 0) => {
      const live = [
        ...full(...new Array<LiveSequenceParts>(rows).fill({ kvTokens: 12 })),
        ...prompts.map((part, index) =>
          liveSequence({ slot: rows + index, phase: 'prefill', promptTokens: 15, kvTokens: 16, ...part }),
        ),
      ];
      return stepOf(viewOf({ limits, live })).prefills.map((run) => run.map(({ sequence }) => sequence.slot! - rows));
    };

    it('given several, when planned, then as many as fit into one run are computed, those at the head of the order', () => {
      expect(runsOf([{}, {}])).toEqual([[0, 1]]);
      expect(runsOf([{}, { promptTokens: 9 }, {}, {}, {}])).toEqual([[0, 1, 2, 3]]);
      expect(
        runsOf([{ promptTokens: 30, kvTokens: 32 }, { promptTokens: 30, kvTokens: 32 }, { kvTokens: 32 }]),
      ).toEqual([[0, 1]]);
    });

    it('given one that does not fit, when planned, then those behind it wait for it', () => {
      expect(runsOf([{}, {}, { promptTokens: 7 }, {}])).toEqual([[0, 1]]); // less than half as long
      expect(runsOf([{}, {}, { promptTokens: 20, kvTokens: 24 }, {}])).toEqual([[0, 1]]); // others have no memory for its rows
      expect(runsOf([{}, { slot: 5 }, {}])).toEqual([[0]]); // no neighbour
      expect(runsOf([{}, {}, { credit: 0 }, {}])).toEqual([[0, 1]]); // its reader lags
      expect(runsOf([{ promptTokens: 40, kvTokens: 44 }, {}, {}])).toEqual([[0]]); // longer than a chunk
    });

    it('given fewer that run than begin with it, when planned, then the run is whole; else they have the tokens of a chunk', () => {
      expect(runsOf([{}, {}, {}], 3)).toEqual([[0, 1, 2]]);
      expect(runsOf([{}, {}], 3)).toEqual([[0]]); // 12 tokens of it
      const short = { promptTokens: 5, kvTokens: 8 };
      expect(runsOf([short, short, short], 4)).toEqual([[0, 1]]); // 16 tokens: 6 rows each
    });
  });

  it('given nothing to compute, when planned, then it says why', () => {
    expect(planStep(viewOf({}))).toEqual({ kind: 'deferred', reason: 'empty' });
    expect(planStep(viewOf({ openingCount: 1 }))).toEqual({ kind: 'deferred', reason: 'opening' });
    expect(planStep(viewOf({ live: full({ credit: 0 }) }))).toEqual({ kind: 'deferred', reason: 'no-credit' });
  });

  it('given any live sequences and any memory, when planned, then what is given is there, the first that can go on does, and nobody runs without memory', () => {
    const sequences = fc.array(
      fc.record({
        promptTokens: fc.integer({ min: 1, max: 40 }),
        credit: fc.constantFrom(0, 1, 100),
        phase: fc.constantFrom('decode' as const, 'decode' as const, 'prefill' as const, 'opening' as const),
      }),
      { maxLength: 8 },
    );
    fc.assert(
      fc.property(sequences, fc.nat(60), fc.constantFrom(1, 4, 16), (parts, free, pageTokens) => {
        const limits = { ...LIMITS, kvPageTokens: pageTokens };
        const pages = new KvPages(limits);
        const live = parts.map((part, slot) =>
          liveSequence({ ...part, slot, kvTokens: pages.holding(part.promptTokens) }),
        );
        const freeKvTokens = Math.floor(free / pageTokens) * pageTokens;
        const openingCount = live.filter(({ phase }) => phase === 'opening').length;
        const plan = planStep(viewOf({ limits, live, freeKvTokens, openingCount }));
        if (plan.kind === 'deferred') return;
        const decoding = plan.decodes.flat();
        const given = plan.growths.reduce((sum, { sequence, kvTokens }) => sum + kvTokens - sequence.kvTokens, 0);
        const taken = plan.preempted.reduce((sum, { kvTokens }) => sum + kvTokens, 0);
        expect(given).toBeLessThanOrEqual(freeKvTokens + taken);
        const memoryOf = (one: Sequence) =>
          plan.growths.find(({ sequence }) => sequence === one)?.kvTokens ?? one.kvTokens;
        for (const one of decoding) expect(memoryOf(one)).toBeGreaterThan(one.computedTokens);
        const running = [...decoding, ...plan.prefills.flat().map(({ sequence }) => sequence)];
        for (const one of plan.preempted) expect(running).not.toContain(one);
        const first = live.find(({ phase, creditTokens }) => phase === 'decode' && creditTokens > 0);
        if (first !== undefined && openingCount === 0) {
          const others = live.slice(0, live.indexOf(first)).some(({ creditTokens }) => creditTokens > 0);
          const allTokens = live.reduce((sum, { kvTokens }) => sum + kvTokens, freeKvTokens);
          if (!others && pages.holding(first.computedTokens + 1) <= allTokens) expect(decoding).toContain(first);
        }
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('planAdmissions', () => {
  const waiting = (...parts: LiveSequenceParts[]) => parts.map((part) => liveSequence({ phase: 'waiting', ...part }));

  it('given memory and slots, when sequences wait, then they are admitted in order behind the live ones', () => {
    const live = [liveSequence({ slot: 3, kvTokens: 8 })];
    const sequences = waiting({ promptTokens: 5 }, { promptTokens: 8 });
    expect(planAdmissions(viewOf({ live, waiting: sequences })).admitted).toEqual([
      { sequence: sequences[0], slot: 4, kvTokens: 8 },
      { sequence: sequences[1], slot: 5, kvTokens: 12 },
    ]);
  });

  it('given no slot behind the live ones, when one waits, then it comes before them', () => {
    const live = [liveSequence({ slot: 7, kvTokens: 8 })];
    expect(planAdmissions(viewOf({ live, waiting: waiting({}) })).admitted[0]?.slot).toBe(0);
  });

  it('given memory for what is known but not for a while of output, when others run, then it waits', () => {
    const live = [liveSequence({ slot: 0, kvTokens: 8 })];
    const view = { live, freeKvTokens: 80, waiting: waiting({ promptTokens: 7 }) };
    expect(planAdmissions(viewOf(view))).toMatchObject({ admitted: [], deferred: 'no-memory' });
    const short = { ...view, waiting: waiting({ promptTokens: 7, maxTokens: 1 }) };
    expect(planAdmissions(viewOf(short)).admitted).toHaveLength(1);
  });

  it('given that it is alone, when it just fits, then it is admitted', () => {
    expect(planAdmissions(viewOf({ waiting: waiting({ promptTokens: 999 }) })).admitted).toHaveLength(1);
  });

  it('given more than all the memory, when it waits, then it is unserviceable and holds nobody up', () => {
    const [large, small] = waiting({ promptTokens: 1_000 }, {});
    const plan = planAdmissions(viewOf({ waiting: [large!, small!] }));
    expect(plan.unserviceable).toEqual([large]);
    expect(plan.admitted.map(({ sequence }) => sequence)).toEqual([small]);
  });

  it('given a large one at the head, when a small one would fit, then it is not overtaken', () => {
    const live = [liveSequence({ slot: 0, kvTokens: 8 })];
    const plan = planAdmissions(viewOf({ live, freeKvTokens: 400, waiting: waiting({ promptTokens: 400 }, {}) }));
    expect(plan).toMatchObject({ admitted: [], deferred: 'no-memory' });
  });

  it('given one that waits for its reader for long, when another needs its memory or slot, then it gives way', () => {
    const [paused, running] = [
      liveSequence({ slot: 0, credit: 0, kvTokens: 8 }),
      liveSequence({ slot: 1, kvTokens: 8 }),
    ];
    const view = { live: [paused, running], freeKvTokens: 0, waiting: waiting({ maxTokens: 1 }) };
    running.generation.request.stop.maxTokens = 1;
    const noRoom = { ...viewOf(view), headroomTokens: 0 };
    expect(planAdmissions(noRoom)).toMatchObject({ preempted: [], admitted: [], deferred: 'no-memory' });
    paused.idleSteps = 20;
    const plan = planAdmissions({ ...noRoom, waiting: waiting({ maxTokens: 1 }) });
    expect([plan.preempted, plan.admitted.length]).toEqual([[paused], 1]);
    const noSlot = { ...viewOf({ ...view, freeKvTokens: 100 }), freeSlots: [], headroomTokens: 0 };
    expect(planAdmissions(noSlot)).toMatchObject({ preempted: [paused], admitted: [{ slot: 0 }] });
  });

  it('given only ones that wait for their readers, when another comes, then as many give way as it needs', () => {
    const live = full({ credit: 0 }, { credit: 0 }, { credit: 0 });
    const plan = planAdmissions({
      ...viewOf({ live, freeKvTokens: 0, waiting: waiting({ promptTokens: 9, maxTokens: 1 }) }),
      headroomTokens: 0,
    });
    expect([plan.preempted, plan.admitted.length]).toEqual([[live[2], live[1]], 1]);
  });

  it('given one that would not fit even then, when it waits, then nobody gives way', () => {
    const live = [...full({ credit: 0 }), liveSequence({ slot: 1, kvTokens: 100 })];
    live[0]!.idleSteps = 99;
    const plan = planAdmissions(viewOf({ live, freeKvTokens: 0, waiting: waiting({ promptTokens: 9 }) }));
    expect(plan).toMatchObject({ preempted: [], admitted: [], deferred: 'no-memory' });
  });

  it('given one that waits for its reader, when planned, then it is passed over', () => {
    const [paused, other] = waiting({ credit: 0 }, {});
    expect(planAdmissions(viewOf({ waiting: [paused!, other!] })).admitted[0]?.sequence).toBe(other);
  });

  it('given no slot, when one waits, then it says so', () => {
    expect(planAdmissions(viewOf({ freeSlots: [], waiting: waiting({}) })).deferred).toBe('no-slot');
  });
});

describe('planMoves', () => {
  it('given any rows and free slots, when compacted, then the rows are neighbours if they can be, with the fewest tokens copied', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('row', 'row', 'free', 'other'), { minLength: 1, maxLength: 10 }),
        fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 10, maxLength: 10 }),
        (slots, lengths) => {
          const rows = slots.flatMap((kind, slot) =>
            kind === 'row' ? [liveSequence({ slot, promptTokens: lengths[slot]! })] : [],
          );
          const free = slots.flatMap((kind, slot) => (kind === 'free' ? [slot] : []));
          const moves = planMoves(rows, free);
          expect(new Set(moves.map(({ to }) => to)).size).toBe(moves.length);
          for (const { to } of moves) expect(free).toContain(to);
          const after = rows.map(slotsAfter(moves)).sort((a, b) => a - b);
          expect(new Set(after).size).toBe(rows.length);

          // every range of as many slots that are free or theirs
          const ranges = slots
            .map((_, first) => slots.slice(first, first + rows.length))
            .map((range, first) => ({ first, range }))
            .filter(({ range }) => range.length === rows.length && !range.includes('other'));
          const costs = ranges.map(({ first }) =>
            rows
              .filter(({ slot }) => slot! < first || slot! >= first + rows.length)
              .reduce((sum, { computedTokens }) => sum + computedTokens, 0),
          );
          const copied = moves.reduce((sum, { sequence }) => sum + sequence.computedTokens, 0);
          if (rows.length === 0 || costs.length === 0) expect(moves).toEqual([]);
          else {
            expect(copied).toBe(Math.min(...costs));
            expect(after.at(-1)! - after[0]!).toBe(rows.length - 1);
          }
        },
      ),
      { numRuns: 1_000 },
    );
  });
});
