import type { GenerationRequest } from '#lib/contracts';
import { type RequestParts, requestOf } from '../../libs/engine/testing/requests.js';
import { eventually } from '../support/eventually.js';
import { metricSum } from '../support/metrics.js';
import { TestSession } from '../support/test-session.js';

export interface WorkerUnderTest {
  readonly grpcPort: number;
  readonly httpPort: number;
  readonly workerId: string;
  readonly epoch: number;
  readonly modelId: string;
  readonly textFingerprint: string;
  /** Two that differ; each can be followed by 40 tokens. */
  readonly prompts: readonly [readonly number[], readonly number[]];
  /** Folders of two adapters that differ, and change the first prompt's tokens. */
  readonly adapterSources: readonly [string, string];
  /** Lines it has logged, parsed. */
  readonly logLines: () => readonly Record<string, unknown>[];
  /** Drains for some milliseconds, then ends. */
  stop(): Promise<void>;
}

/** Sessions with one worker, closed together. */
export class WorkerSessions {
  private readonly opened: TestSession[] = [];

  constructor(readonly worker: WorkerUnderTest) {}

  async open(gatewayId?: string, takesEnded?: boolean): Promise<TestSession> {
    const session = await TestSession.open(this.worker.grpcPort, gatewayId, takesEnded);
    this.opened.push(session);
    return session;
  }

  /** One that has said nothing yet. */
  connect(): TestSession {
    const session = new TestSession(this.worker.grpcPort);
    this.opened.push(session);
    return session;
  }

  /** Of the first prompt, for the worker's model. */
  request(parts: RequestParts = {}): GenerationRequest {
    const { modelId, epoch: workerEpoch, prompts } = this.worker;
    return requestOf({ modelId, workerEpoch, promptTokenIds: [...prompts[0]], ...parts });
  }

  async metrics(): Promise<string> {
    return (await fetch(`http://127.0.0.1:${this.worker.httpPort}/metrics`)).text();
  }

  async running(): Promise<number> {
    return metricSum(await this.metrics(), 'hydra_worker_running_generations');
  }

  async idle(): Promise<void> {
    await eventually(async () => (await this.running()) === 0 || undefined);
  }

  async closeAll(): Promise<void> {
    for (const session of this.opened.splice(0)) session.close();
    await this.idle();
  }
}
