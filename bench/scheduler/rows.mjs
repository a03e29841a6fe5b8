/** What is printed of a part of the bench. */
export function rowsOf(name, figures) {
  return ROWS[name](figures).map((row, index) => `${(index === 0 ? name : '').padEnd(10)}${row}`);
}

const ROWS = {
  index: ({ blocks, tableBytes, sketchBytes, residentBytes, placeUs, decisionsPerSecond, leave, ...rest }) => [
    `${blocks} blocks in ${megabytes(tableBytes)} (resident ${megabytes(residentBytes)}), uses of prefixes in ${megabytes(sketchBytes)}`,
    `a decision p50 ${us(placeUs.p50)}, p99 ${us(placeUs.p99)}; ${decisionsPerSecond} decisions/s on one core`,
    `p99 ${us(rest.undisturbedUs.p99)} without the ${(100 * rest.collectedShare).toFixed(2)} % of decisions that a collection of garbage fell into`,
    `work that is always the same, beside it: p50 ${us(rest.fixedWorkUs.p50)}, p99 ${us(rest.fixedWorkUs.p99)}: so far apart are times on this machine`,
    `a worker that leaves: ${leave.totalMs.toFixed(0)} ms in turns of at most ${leave.longestMs.toFixed(1)} ms`,
  ],
  fleet: (figures) => {
    const { workers, requestsPerSecond, decisionUs, answerUs } = figures;
    const { schedulerCpuShare, schedulerCpuUsPerRequest, schedulerResidentBytes } = figures;
    const share = `${(100 * schedulerCpuShare).toFixed(0)} % of a core (${us(schedulerCpuUsPerRequest)} a request)`;
    return [
      `${workers} workers, ${requestsPerSecond.toFixed(0)} requests/s`,
      `decision mean ${us(decisionUs.mean)}; answer p50 ${us(answerUs.p50)}, p99 ${us(answerUs.p99)}`,
      `scheduler ${share}, ${megabytes(schedulerResidentBytes)}`,
    ];
  },
  overload: ({ seconds, goodput, peakGoodput, goodputShare, backToNormalMs, grownBytes, scheduler }) => [
    `10 times for ${seconds} s: goodput ${goodput.toFixed(1)} of ${peakGoodput.toFixed(1)} /s, ${(100 * goodputShare).toFixed(0)} %`,
    `normal after ${backToNormalMs.toFixed(0)} ms; ${megabytes(grownBytes)} more memory`,
    `scheduler ${megabytes(scheduler.beforeBytes)} before, at most ${megabytes(scheduler.firstHalfBytes)} in the first half and ${megabytes(scheduler.secondHalfBytes)} in the second`,
  ],
  chats: (all) =>
    all.map(({ strategy, hitRatio, ttftMs, laterTurnsTtftMs }) => {
      const times = `TTFT mean ${ttftMs.mean.toFixed(0)}, p90 ${ttftMs.p90.toFixed(0)} ms; later turns p50 ${laterTurnsTtftMs.p50.toFixed(0)} ms`;
      return `${strategy}: ${(100 * hitRatio).toFixed(0)} % of prompt tokens found; ${times}`;
    }),
};

function megabytes(bytes) {
  return `${(bytes / 1e6).toFixed(0)} MB`;
}

function us(value) {
  return `${value.toFixed(0)} µs`;
}
