/** Traces of the goals. `speedup`: at which 8 workers of one copy have a load of 0.9. */
export const TRACES = {
  conversation: { file: 'conversation.jsonl.gz', format: 'mooncake', speedup: 2.849 },
  synthetic: { file: 'synthetic.jsonl.gz', format: 'mooncake', speedup: 2.735 },
  azure_conv: { file: 'azure_conv.csv.gz', format: 'csv' },
};

/**
 * Reference figures on the simulator's worker model: `pooled`, one cache of all workers' KV that each reads at no cost, FIFO workers, LRU; and
 * the lowest p99 of TTFT of ten published rules. Times in seconds.
 */
const REFERENCES = [
  { trace: 'conversation', workers: 8, load: 0.7, hit: 0.146, ttft: 0.525, knownP99: 5.69 },
  { trace: 'conversation', workers: 8, load: 0.9, hit: 0.145, ttft: 0.612, knownP99: 6.15 },
  { trace: 'conversation', workers: 16, load: 0.7, hit: 0.146, ttft: 0.473, knownP99: 5.86 },
  { trace: 'conversation', workers: 16, load: 0.9, hit: 0.143, ttft: 0.517, knownP99: 6.19 },
  { trace: 'synthetic', workers: 8, load: 0.7, hit: 0.343, ttft: 0.483, knownP99: 3.68 },
  { trace: 'synthetic', workers: 8, load: 0.9, hit: 0.335, ttft: 0.577, knownP99: 5.32 },
  { trace: 'synthetic', workers: 16, load: 0.7, hit: 0.351, ttft: 0.448, knownP99: 3.44 },
  { trace: 'synthetic', workers: 16, load: 0.9, hit: 0.346, ttft: 0.465, knownP99: 3.62 },
];
const MOST_TTFT_RATIO = { conversation: 1.06, synthetic: 1.15 };

/** Requests per second that 8 workers are to serve within the objective, as speed-ups of one copy. */
const CAPACITY = [
  { trace: 'conversation', rps: 10.05, speedup: 2.955 },
  { trace: 'synthetic', rps: 11.7, speedup: 2.995 },
];
const RETENTION = [
  { trace: 'conversation', hit: 0.164 },
  { trace: 'synthetic', hit: 0.384 },
];

/**
 * Groups of goals, each a list of cells: what is asked, the runs that answer it, and rows of their results. A run that several cells
 * ask for is made once.
 */
export const GOALS = { fifo: fifo(), srpt: srpt(), retention: retention(), fleets: fleets() };

function fifo() {
  const cells = REFERENCES.map(({ hit, ttft, knownP99, ...cell }) => ({
    ...{ cell, runs: [loaded(cell)] },
    rows: ([{ block_hit_rate, ttft_mean_s, ttft_p99_s }]) => [
      row(cell, 'hit', block_hit_rate, { ratio: block_hit_rate / hit, atLeast: 0.87 }),
      row(cell, 'TTFT', ttft_mean_s, { ratio: ttft_mean_s / ttft, atMost: MOST_TTFT_RATIO[cell.trace] }),
      row(cell, 'p99', ttft_p99_s, { atMost: knownP99 }),
    ],
  }));
  const all = {
    ...{ cell: {}, runs: cells.flatMap(({ runs }) => runs) },
    rows: (results) => {
      const ratios = results.map(({ block_hit_rate }, index) => block_hit_rate / REFERENCES[index].hit);
      return [row({}, 'hit over pooled, mean', mean(ratios), { atLeast: 0.94 })];
    },
  };
  return [...cells, all];
}

function srpt() {
  const hits = REFERENCES.map(({ hit, trace, workers, load }) => ({
    ...{ cell: { trace, workers, load }, runs: [{ ...loaded({ trace, workers, load }), order: 'srpt' }] },
    rows: ([{ block_hit_rate }]) => [
      row({ trace, workers, load }, 'hit', block_hit_rate, { ratio: block_hit_rate / hit, atLeast: 0.97 }),
    ],
  }));
  const capacity = CAPACITY.map(({ trace, rps, speedup }) => ({
    ...{ cell: { trace, workers: 8 }, runs: [{ trace, workers: 8, copies: 1, speedup, order: 'srpt' }] },
    rows: ([{ slo_attainment }]) => [
      row({ trace, workers: 8 }, `within SLO at ${rps}/s`, slo_attainment, { atLeast: 0.9 }),
    ],
  }));
  const azure = { trace: 'azure_conv', workers: 16, copies: 4, speedup: 13.6, order: 'srpt' };
  const beside = {
    ...{ cell: azure, runs: [azure, { ...azure, strategy: 'least-pending-prefill' }] },
    rows: ([ours, other]) =>
      [
        ['TTFT', 'ttft_mean_s', 1.03],
        ['p99', 'ttft_p99_s', 1.5],
      ].map(([name, figure, atMost]) =>
        row(azure, name, ours[figure], { ratio: ours[figure] / other[figure], atMost }),
      ),
  };
  return [...hits, ...capacity, beside];
}

function retention() {
  return RETENTION.flatMap(({ trace, hit }) =>
    [800, 3_200].map((kvBlocks) => {
      const atLeast = (lru) => (kvBlocks === 800 ? hit : lru.block_hit_rate - 0.005);
      return retained({ trace, workers: 16, load: 0.9, kvBlocks }, atLeast);
    }),
  );
}

/** No goals of their own: what was chosen elsewhere is to be no worse than least recently used here. */
function fleets() {
  return ['conversation', 'synthetic'].flatMap((trace) =>
    [4, 8, 32].flatMap((workers) =>
      [400, 800, 1_600].map((kvBlocks) =>
        retained({ trace, workers, load: 0.9, kvBlocks }, ({ block_hit_rate }) => block_hit_rate),
      ),
    ),
  );
}

/** @param leastHit  that `lfuda` is to have, given what `lru` has */
function retained(cell, leastHit) {
  return {
    ...{ cell, runs: ['lru', 'lfuda'].map((eviction) => ({ ...loaded(cell), order: 'srpt', eviction })) },
    rows: ([lru, lfuda]) => [
      row(cell, 'hit', lfuda.block_hit_rate, { beside: lru.block_hit_rate, atLeast: leastHit(lru) }),
      row(cell, 'TTFT', lfuda.ttft_mean_s, { beside: lru.ttft_mean_s }),
      row(cell, 'p99', lfuda.ttft_p99_s, { beside: lru.ttft_p99_s }),
    ],
  };
}

/** The run of a cell: a copy of the trace for each 8 workers, as fast as its load asks for. */
function loaded({ trace, workers, load, ...about }) {
  const copies = Math.max(1, workers / 8);
  const speedup = (TRACES[trace].speedup * workers * load) / (8 * copies * 0.9);
  return { trace, workers, copies, speedup: Number(speedup.toFixed(3)), ...about };
}

/** @param bound  of the ratio where there is one, else of the figure; `beside` is what LRU has */
function row(cell, name, figure, { ratio, beside, atLeast, atMost }) {
  const bounded = ratio ?? figure;
  const more = [ratio && `ratio ${ratio.toFixed(3)}`, beside !== undefined && `lru ${beside.toFixed(4)}`];
  const goal = atLeast !== undefined ? `≥ ${round(atLeast)}` : atMost === undefined ? undefined : `≤ ${round(atMost)}`;
  return {
    what: [nameOf(cell), name].filter(Boolean).join(', '),
    figure: [figure.toFixed(4), ...more].filter(Boolean).join(', '),
    goal,
    isReached: !(bounded < (atLeast ?? bounded)) && !(bounded > (atMost ?? bounded)),
  };
}

export function nameOf({ trace, workers, load, kvBlocks }) {
  const parts = [trace, workers && `W ${workers}`, load && `load ${load}`, kvBlocks && `${kvBlocks} blocks`];
  return parts.filter(Boolean).join(', ');
}

function mean(values) {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function round(value) {
  return Number(value.toFixed(4));
}
