import type { HydraConfig, ModelConfig } from '#lib/config';

/** Who this worker is in this life of it. */
export class WorkerIdentity {
  constructor(
    /** Stable over restarts. */
    readonly workerId: string,
    /** Milliseconds since the Unix epoch at which this life began; larger replaces smaller. */
    readonly epoch: number,
    /** The model it serves. */
    readonly model: ModelConfig,
  ) {}

  static of({ workers, models }: HydraConfig): WorkerIdentity {
    const model = models.find(({ id }) => id === workers.model) ?? models[0]!; // the schema wants at least one
    return new WorkerIdentity(workers.id, Date.now(), model);
  }
}
