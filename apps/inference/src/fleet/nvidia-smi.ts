import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** A driver that hangs must not hold up reports. */
const TIMEOUT_MS = 2_000;
const MEBIBYTE = 1024 * 1024;
const QUERY = 'index,name,memory.total,memory.used,utilization.gpu,power.draw';

export interface GpuReading {
  readonly index: number;
  readonly name: string;
  readonly memoryTotalBytes: number;
  readonly memoryUsedBytes: number;
  /** 0 to 1. */
  readonly utilization: number;
  /** 0 when the driver does not say. */
  readonly powerWatts: number;
}

/** @returns `undefined` when the driver's tool is not there or does not answer */
export async function readGpus(): Promise<GpuReading[] | undefined> {
  try {
    const { stdout } = await promisify(execFile)(
      'nvidia-smi',
      [`--query-gpu=${QUERY}`, '--format=csv,noheader,nounits'],
      {
        timeout: TIMEOUT_MS,
      },
    );
    return parseGpus(stdout);
  } catch {
    return undefined; // no NVIDIA driver on this host, or a broken one: the CPU is reported
  }
}

/** One line per GPU; `[N/A]` and the like count as 0. */
export function parseGpus(csv: string): GpuReading[] {
  return csv
    .split('\n')
    .map((line) => line.split(',').map((field) => field.trim()))
    .filter((fields) => fields.length === 6)
    .map(([index, name, total, used, utilization, power]) => ({
      index: numberOf(index),
      name: name ?? '',
      memoryTotalBytes: numberOf(total) * MEBIBYTE,
      memoryUsedBytes: numberOf(used) * MEBIBYTE,
      utilization: numberOf(utilization) / 100,
      powerWatts: numberOf(power),
    }));
}

function numberOf(field: string | undefined): number {
  const number = Number.parseFloat(field ?? '');
  return Number.isFinite(number) ? number : 0;
}
