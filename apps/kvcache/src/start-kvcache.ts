import type { AddressInfo } from 'node:net';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { Logger as NestPinoLogger } from 'nestjs-pino';
import { ChannelSecurity } from '#lib/channels';
import type { HydraConfig } from '#lib/config';
import { type Logger, Tracing } from '#lib/observability';
import { Announcements } from './announcement/announcements.js';
import { BlockTiers } from './block-tiers.js';
import { KvcacheModule } from './kvcache.module.js';
import { KvcacheGrpcServer } from './kvcache-grpc-server.js';
import { KvcacheMetrics } from './kvcache-metrics.js';

export interface RunningKvcache {
  readonly httpPort: number;
  readonly grpcPort: number;
  /** Takes nothing new, lets transfers end for a while, and writes to Redis what waits. */
  close(): Promise<void>;
}

/** Health and metrics over HTTP, blocks over gRPC; port 0 takes a free one. Ends in order on SIGTERM and SIGINT. */
export async function startKvcache(config: HydraConfig, logger: Logger): Promise<RunningKvcache> {
  const { host, httpPort, grpcPort, transfers, target } = config.kvcache;
  const app = await NestFactory.create<NestFastifyApplication>(
    KvcacheModule.forConfig(config, logger),
    new FastifyAdapter(),
    { bufferLogs: true, abortOnError: false },
  );
  app.useLogger(app.get(NestPinoLogger));
  const [{ store }, metrics, tracing] = [app.get(BlockTiers), app.get(KvcacheMetrics), app.get(Tracing)];
  const grpcServer = new KvcacheGrpcServer(
    { security: app.get(ChannelSecurity), host, port: grpcPort },
    {
      source: store,
      sink: store,
      mostTransfers: transfers,
      onGet: (origin) => {
        const record = tracing.beginWork(origin, 'kv get');
        return (asked, served) => {
          record.root.set({ 'hydra.kv.asked_blocks': asked, 'hydra.kv.blocks': served });
          record.close();
        };
      },
      onServed: (bytes) => metrics.served(bytes),
      onRefused: (code) => metrics.callRefused(code),
    },
  );
  app.connectMicroservice({ strategy: grpcServer });
  app.enableShutdownHooks(['SIGTERM', 'SIGINT'], { useProcessExit: true });
  await app.startAllMicroservices();
  await app.listen(httpPort, host);
  app.get(Announcements).begin(target ?? `${host}:${grpcServer.boundPort}`);
  const address = app.getHttpServer().address() as AddressInfo; // it listens on TCP
  return { httpPort: address.port, grpcPort: grpcServer.boundPort, close: () => app.close() };
}
