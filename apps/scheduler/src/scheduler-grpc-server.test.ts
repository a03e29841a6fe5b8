import { once } from 'node:events';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { credentials, type GrpcObject, loadPackageDefinition, type ServiceClientConstructor } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { protoPath as healthProtoPath } from 'grpc-health-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { SchedulerFixture } from './scheduler.test-support.js';

let fixture: SchedulerFixture;
beforeAll(async () => {
  fixture = await SchedulerFixture.start();
});
afterAll(() => fixture.close());

/** A client that knows nothing of our generated code. */
function clientOf(protoFile: string, serviceName: string) {
  const names = serviceName.split('.');
  const found = names.reduce<unknown>(
    (at, name) => (at as GrpcObject)[name],
    loadPackageDefinition(loadSync(protoFile)),
  );
  const Client = found as ServiceClientConstructor; // the file defines it
  return new Client(`127.0.0.1:${fixture.scheduler.grpcPort}`, credentials.createInsecure());
}

it('answers the health protocol for both services', async () => {
  const client = clientOf(healthProtoPath, 'grpc.health.v1.Health');
  for (const service of ['', 'hydra.internal.v1.Placement', 'hydra.internal.v1.Fleet']) {
    const answer = await new Promise((resolve, reject) =>
      client['Check']!({ service }, (error: Error | null, response: unknown) =>
        error ? reject(error) : resolve(response),
      ),
    );
    expect(answer).toEqual({ status: 1 }); // SERVING
  }
  client.close();
});

it('lists its services by reflection, and describes them', async () => {
  const main = createRequire(import.meta.url).resolve('@grpc/reflection');
  const protoFile = join(dirname(main), '../proto/grpc/reflection/v1/reflection.proto');
  const client = clientOf(protoFile, 'grpc.reflection.v1.ServerReflection');
  const stream = client['ServerReflectionInfo']!();
  stream.write({ listServices: '' });
  const [listed] = await once(stream, 'data');
  expect(listed.listServicesResponse.service.map(({ name }: { name: string }) => name).sort()).toEqual([
    'grpc.health.v1.Health',
    'hydra.internal.v1.Fleet',
    'hydra.internal.v1.Operations',
    'hydra.internal.v1.Placement',
  ]);
  stream.write({ fileContainingSymbol: 'hydra.internal.v1.Placement' });
  const [described] = await once(stream, 'data');
  expect(described.fileDescriptorResponse.fileDescriptorProto.length).toBeGreaterThan(0);
  stream.end();
  client.close();
});
