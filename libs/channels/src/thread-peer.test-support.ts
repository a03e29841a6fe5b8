import { createRequire } from 'node:module';
import { Worker } from 'node:worker_threads';
import { SessionResponse } from '#lib/contracts';

const SERVER = `
const { parentPort, workerData } = require('node:worker_threads');
const { Server, ServerCredentials } = require(workerData.grpcPath);
const same = (bytes) => bytes;
const codecs = { requestSerialize: same, requestDeserialize: same, responseSerialize: same, responseDeserialize: same };
const server = new Server();
server.addService(
  { session: { path: '/hydra.internal.v1.Worker/Session', requestStream: true, responseStream: true, ...codecs } },
  {
    session(call) {
      call.on('error', () => {}).on('data', () => {}).on('end', () => call.end());
      call.write(Buffer.from(workerData.welcome));
    },
  },
);
if (workerData.answersHealth) {
  server.addService(
    { check: { path: '/grpc.health.v1.Health/Check', requestStream: false, responseStream: false, ...codecs } },
    {
      check(call, reply) {
        parentPort.postMessage('asked');
        reply(null, Buffer.alloc(0));
      },
    },
  );
}
parentPort.on('message', (frozen) => Atomics.wait(new Int32Array(frozen), 0, 0));
server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => parentPort.postMessage(port));
`;

/** A worker's end of the session on an event loop of its own: it runs while that of the test is blocked, and can be frozen. */
export class ThreadPeer {
  /** Whether it knows the health service. */
  askedCount = 0;
  private readonly frozen = new Int32Array(new SharedArrayBuffer(4));
  private waiters: (() => void)[] = [];

  private constructor(
    private readonly thread: Worker,
    readonly target: string,
  ) {
    thread.on('message', () => {
      this.askedCount++;
      for (const waiter of this.waiters.splice(0)) waiter();
    });
  }

  static async start({ answersHealth }: { readonly answersHealth: boolean }): Promise<ThreadPeer> {
    const message = { $case: 'welcome', value: { workerId: 'worker-0', workerEpoch: 7 } } as const;
    const welcome = SessionResponse.encode({ message }).finish();
    const grpcPath = createRequire(import.meta.url).resolve('@grpc/grpc-js');
    const thread = new Worker(SERVER, { eval: true, execArgv: [], workerData: { welcome, grpcPath, answersHealth } });
    const port = await new Promise<number>((resolve) => thread.once('message', resolve));
    return new ThreadPeer(thread, `127.0.0.1:${port}`);
  }

  /** Resolves when it was asked that often after its health. */
  async untilAsked(count: number): Promise<void> {
    while (this.askedCount < count) await new Promise<void>((resolve) => this.waiters.push(resolve));
  }

  /** Its connections stay; it does nothing, as under SIGSTOP. */
  freeze(): void {
    Atomics.store(this.frozen, 0, 0);
    this.thread.postMessage(this.frozen.buffer);
  }

  thaw(): void {
    Atomics.store(this.frozen, 0, 1);
    Atomics.notify(this.frozen, 0);
  }

  async stop(): Promise<void> {
    this.thaw();
    await this.thread.terminate();
  }
}

/** Nothing of this thread runs. */
export function block(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
