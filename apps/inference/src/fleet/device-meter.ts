import { cpus, freemem, totalmem } from 'node:os';
import { Injectable } from '@nestjs/common';
import type { Device, DeviceState } from '#lib/contracts';
import { type GpuReading, readGpus } from './nvidia-smi.js';

/** Time between two questions to the driver, in milliseconds: chosen, one costs some 30 ms of a core. */
const GPU_POLL_MS = 1_000;

/** The devices of this host and how busy they are: GPUs where the driver lists some, else the CPU. */
@Injectable()
export class DeviceMeter {
  private gpus: readonly GpuReading[] = [];
  private timer: NodeJS.Timeout | undefined;
  private lastCpu = cpuTimes();

  /** Looks for GPUs, and keeps looking at them where there are some. */
  async start(): Promise<void> {
    this.gpus = (await readGpus()) ?? [];
    if (this.gpus.length > 0) this.pollSoon();
  }

  stop(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  /** As of the last look; none without GPUs. */
  get gpuReadings(): readonly GpuReading[] {
    return this.gpus;
  }

  devices(): Device[] {
    if (this.gpus.length > 0) {
      return this.gpus.map(({ index, name, memoryTotalBytes }) => ({
        kind: 'cuda',
        index,
        name,
        memoryBytes: memoryTotalBytes,
      }));
    }
    return [{ kind: 'cpu', index: 0, name: cpus()[0]?.model.trim() ?? 'CPU', memoryBytes: totalmem() }];
  }

  /** Since the last call, for the CPU; as of the last look, for GPUs. */
  states(): DeviceState[] {
    if (this.gpus.length > 0) return this.gpus.map(({ name: _, ...state }) => state);
    const memoryTotalBytes = totalmem();
    const memoryUsedBytes = memoryTotalBytes - freemem();
    return [{ index: 0, utilization: this.cpuUtilization(), memoryUsedBytes, memoryTotalBytes, powerWatts: 0 }];
  }

  private cpuUtilization(): number {
    const now = cpuTimes();
    const busy = now.busy - this.lastCpu.busy;
    const total = now.total - this.lastCpu.total;
    if (total > 0) this.lastCpu = now;
    return total > 0 ? Math.min(1, busy / total) : 0;
  }

  private pollSoon(): void {
    this.timer = setTimeout(async () => {
      const readings = await readGpus();
      if (readings !== undefined && readings.length > 0) this.gpus = readings;
      if (this.timer !== undefined) this.pollSoon();
    }, GPU_POLL_MS);
    this.timer.unref();
  }
}

/** Over all cores since boot, in milliseconds. */
function cpuTimes(): { busy: number; total: number } {
  let busy = 0;
  let total = 0;
  for (const { times } of cpus()) {
    const { user, nice, sys, irq, idle } = times;
    busy += user + nice + sys + irq;
    total += user + nice + sys + irq + idle;
  }
  return { busy, total };
}
