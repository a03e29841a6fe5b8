import { expect, it } from 'vitest';
import { selfTimes } from './self-times.mjs';

const node = (id, functionName, url = '', lineNumber = -1, children = []) => ({
  id,
  callFrame: { functionName, url, lineNumber },
  children,
});

it('given a profile, then shares are of all time, the largest first, and neither waiting nor the model is one of them', () => {
  const profile = {
    nodes: [
      node(1, '(idle)'),
      node(2, 'choose', 'file:///engine/sampler.js', 41),
      node(3, ''),
      node(4, 'choose'),
      node(5, 'runHere', '', -1, [6]),
      node(6, 'native'),
    ],
    samples: [1, 2, 3, 2, 6, 1],
    timeDeltas: [0, 400, 150, 50, 50, 300, 50],
    startTime: 1_000,
    endTime: 2_000,
  };
  const { profiledShare, functions } = selfTimes(profile);
  expect(functions).toEqual([
    { name: 'choose sampler.js:42', share: 0.2 },
    { name: '(anonymous)', share: 0.05 },
  ]);
  expect(profiledShare).toBeCloseTo(0.25);
});
