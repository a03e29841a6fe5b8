import { credentials, loadPackageDefinition, type ServiceClientConstructor } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { protoPath } from 'grpc-health-check';

/** Follows what a gRPC server says of its health: every change, in order. */
export class HealthWatch {
  readonly statuses: string[] = [];
  private waiters: (() => void)[] = [];
  private readonly stop: () => void;

  constructor(grpcPort: number) {
    const definition = loadPackageDefinition(loadSync(protoPath, { enums: String }));
    const { Health } = (definition['grpc'] as never)['health']['v1'] as { Health: ServiceClientConstructor };
    const client = new Health(`127.0.0.1:${grpcPort}`, credentials.createInsecure());
    const call = client['Watch']!({ service: '' });
    call.on('data', ({ status }: { status: string }) => {
      this.statuses.push(status);
      for (const waiter of this.waiters.splice(0)) waiter();
    });
    call.on('error', () => {}); // the server ended
    this.stop = () => {
      call.cancel();
      client.close();
    };
  }

  async until(check: (statuses: readonly string[]) => boolean): Promise<void> {
    while (!check(this.statuses)) await new Promise<void>((resolve) => this.waiters.push(resolve));
  }

  close(): void {
    this.stop();
  }
}
