import { expect, it } from 'vitest';
import { parseGpus } from './nvidia-smi.js';

it('given what the driver prints, when parsed, then units are ours and what it does not know is 0', () => {
  const csv = '0, NVIDIA H100 80GB HBM3, 81559, 1024, 37, 123.45\n1, NVIDIA T4, 15360, 0, [N/A], [Not Supported]\n\n';
  expect(parseGpus(csv)).toEqual([
    {
      index: 0,
      name: 'NVIDIA H100 80GB HBM3',
      memoryTotalBytes: 81_559 * 1024 * 1024,
      memoryUsedBytes: 1024 * 1024 * 1024,
      utilization: 0.37,
      powerWatts: 123.45,
    },
    {
      index: 1,
      name: 'NVIDIA T4',
      memoryTotalBytes: 15_360 * 1024 * 1024,
      memoryUsedBytes: 0,
      utilization: 0,
      powerWatts: 0,
    },
  ]);
});

it('given anything else, when parsed, then there is no GPU', () => {
  expect(parseGpus('')).toEqual([]);
  expect(parseGpus('No devices were found\n')).toEqual([]);
});
