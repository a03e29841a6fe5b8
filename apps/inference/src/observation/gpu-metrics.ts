import { Injectable } from '@nestjs/common';
import { Gauge, register } from 'prom-client';
import { DeviceMeter } from '../fleet/device-meter.js';
import type { GpuReading } from '../fleet/nvidia-smi.js';

/** The GPUs of this worker's host as the driver last said (`DeviceMeter`); without GPUs there are names and no series. */
@Injectable()
export class GpuMetrics {
  constructor(private readonly meter: DeviceMeter) {
    this.gauge(
      'hydra_worker_gpu_utilization_ratio',
      'Share of time in which the GPU computed, 0 to 1.',
      (gpu) => gpu.utilization,
    );
    this.gauge(
      'hydra_worker_gpu_memory_used_bytes',
      'Memory of the GPU in use, in bytes.',
      (gpu) => gpu.memoryUsedBytes,
    );
    this.gauge('hydra_worker_gpu_memory_bytes', 'Memory of the GPU, in bytes.', (gpu) => gpu.memoryTotalBytes);
    this.gauge(
      'hydra_worker_gpu_power_watts',
      'Power that the GPU draws, in watts; absent where the driver does not say.',
      (gpu) => gpu.powerWatts || undefined,
    );
  }

  private gauge(name: string, help: string, read: (gpu: GpuReading) => number | undefined): void {
    const { meter } = this;
    register.removeSingleMetric(name); // of an earlier app in this process
    new Gauge({
      name,
      help,
      labelNames: ['gpu', 'gpu_name'] as const,
      collect() {
        this.reset();
        for (const reading of meter.gpuReadings) {
          const value = read(reading);
          if (value !== undefined) this.set({ gpu: String(reading.index), gpu_name: reading.name }, value);
        }
      },
    });
  }
}
