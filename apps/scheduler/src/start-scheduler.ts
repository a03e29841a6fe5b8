import type { AddressInfo } from 'node:net';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { Logger as NestPinoLogger } from 'nestjs-pino';
import { ChannelSecurity } from '#lib/channels';
import type { HydraConfig } from '#lib/config';
import type { Logger } from '#lib/observability';
import { SchedulerModule } from './scheduler.module.js';
import { SchedulerGrpcServer } from './scheduler-grpc-server.js';

export interface RunningScheduler {
  readonly httpPort: number;
  readonly grpcPort: number;
  readonly app: NestFastifyApplication;
  /** Answers what waits, ends the streams, and closes both servers. */
  close(): Promise<void>;
}

/** Health and metrics over HTTP, placement and fleet over gRPC; port 0 takes a free one. Ends in order on SIGTERM and SIGINT. */
export async function startScheduler(config: HydraConfig, logger: Logger): Promise<RunningScheduler> {
  const { host, httpPort, grpcPort } = config.scheduler;
  const app = await NestFactory.create<NestFastifyApplication>(
    SchedulerModule.forConfig(config, logger),
    new FastifyAdapter(),
    { bufferLogs: true, abortOnError: false },
  );
  app.useLogger(app.get(NestPinoLogger));
  const grpcServer = new SchedulerGrpcServer({ security: app.get(ChannelSecurity), host, port: grpcPort });
  app.connectMicroservice({ strategy: grpcServer });
  app.enableShutdownHooks(['SIGTERM', 'SIGINT'], { useProcessExit: true });
  await app.startAllMicroservices();
  await app.listen(httpPort, host);
  const address = app.getHttpServer().address() as AddressInfo; // it listens on TCP
  return { httpPort: address.port, grpcPort: grpcServer.boundPort, app, close: () => app.close() };
}
