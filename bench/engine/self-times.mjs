import { basename } from 'node:path';

const MOST_FUNCTIONS = 8;
/** What V8 calls the time in which the thread waits, and the function of `OrtSession` in which it computes the model. */
const NOT_JAVASCRIPT = ['(idle)', 'runHere'];

/**
 * What a thread did, by its CPU profile.
 * @param {import('node:inspector').Profiler.Profile} profile
 * @returns {{profiledShare: number, functions: {name: string, share: number}[]}} the share of all time in which it neither
 *   waited nor ran the model, and of the functions with most time of their own
 */
export function selfTimes({ nodes, samples, timeDeltas, startTime, endTime }) {
  const nameById = new Map(nodes.map(({ id, callFrame }) => [id, nameOf(callFrame)]));
  const childrenById = new Map(nodes.map(({ id, children = [] }) => [id, children]));
  const leftOut = new Set(
    nodes.filter(({ callFrame }) => NOT_JAVASCRIPT.includes(callFrame.functionName)).map(({ id }) => id),
  );
  for (const id of leftOut) for (const child of childrenById.get(id)) leftOut.add(child);
  const microseconds = new Map();
  samples.forEach((id, i) => {
    // A delta is the time before its sample: in the one after this sample, what this sample saw went on.
    if (leftOut.has(id)) return;
    const name = nameById.get(id);
    microseconds.set(name, (microseconds.get(name) ?? 0) + (timeDeltas[i + 1] ?? 0));
  });
  const functions = [...microseconds]
    .map(([name, us]) => ({ name, share: us / (endTime - startTime) }))
    .sort((a, b) => b.share - a.share);
  const profiledShare = functions.reduce((sum, { share }) => sum + share, 0);
  return { profiledShare, functions: functions.slice(0, MOST_FUNCTIONS) };
}

function nameOf({ functionName, url, lineNumber }) {
  const name = functionName || '(anonymous)';
  return url === '' ? name : `${name} ${basename(url)}:${lineNumber + 1}`;
}
