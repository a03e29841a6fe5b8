import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { isListeningMessage } from '#lib/observability';

const MAIN = fileURLToPath(new URL('../../../dist/apps/gateway/src/main.js', import.meta.url));

/** One more gateway of a platform, in a process of its own, from the build. */
export class GatewayProcess {
  private constructor(
    private readonly child: ChildProcess,
    readonly url: string,
  ) {}

  /** Resolves when it answers. */
  static async start(env: Readonly<Record<string, string>>): Promise<GatewayProcess> {
    const child = fork(MAIN, [], {
      env: { PATH: process.env['PATH'], HYDRA_HTTP_PORT: '0', HYDRA_GRPC_PORT: '0', ...env },
      execArgv: [], // not the test runner's, which resolve sources
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    const httpPort = await new Promise<number>((resolve, reject) => {
      child.on('message', (message) => {
        if (isListeningMessage(message)) resolve(message.httpPort);
      });
      child.once('exit', (code) => reject(new Error(`the gateway ended with code ${code}`)));
    });
    const gateway = new GatewayProcess(child, `http://127.0.0.1:${httpPort}`);
    for (;;) {
      const response = await fetch(`${gateway.url}/health/ready`);
      await response.arrayBuffer();
      if (response.ok) return gateway;
      await new Promise((resolve) => setTimeout(resolve, 20)); // readiness can only be asked for
    }
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const gone = new Promise((resolve) => this.child.once('exit', resolve));
    this.child.kill(signal);
    await gone;
  }
}
