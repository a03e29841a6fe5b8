import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { SwaggerModule } from '@nestjs/swagger';
import { Logger as PinoLogger } from 'nestjs-pino';
import type { HydraConfig } from '#lib/config';
import { productVersion } from '#lib/contracts';
import type { Logger } from '#lib/observability';
import { adminDocument } from './admin/admin-document.js';
import { AdmissionGate } from './completion/admission-gate.js';
import { CONSOLE_FOLDER, serveConsole } from './console/console-pages.js';
import { GatewayModule } from './gateway.module.js';
import { GrpcServer } from './grpc/grpc-server.js';
import { Identity } from './identity/identity.js';
import { openPublicTls } from './identity/public-tls.js';
import { RequestGuard } from './identity/request-guard.js';
import { addRestAuthentication } from './identity/rest-authentication.js';
import { GatewayMetrics } from './observation/gateway-metrics.js';
import { countAnswers } from './rest/counted-answers.js';
import { createHttpAdapter } from './rest/http-adapter.js';
import { closeConnectionsWhenLeaving } from './rest/leaving-connections.js';
import { openApiDocument } from './rest/openapi-document.js';
import { UsageRecorder } from './usage/usage-recorder.js';

export interface RunningGateway {
  readonly httpPort: number;
  readonly grpcPort: number;
  /**
   * Says until `noticed` that it is not ready, and still takes requests. Then it takes nothing new; what runs has `graceMs` to finish,
   * what is left then ends with an error. Resolves when all connections are closed.
   */
  stop(graceMs: number, noticed?: Promise<unknown>): Promise<void>;
}

/** All that the API has. */
const CORS_METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'];

/** What scripts in browsers may read. */
const EXPOSED_HEADERS = [
  ...[
    'x-request-id',
    'retry-after',
    'x-should-retry',
    'x-hydra-reason',
    'x-hydra-placement',
    'idempotent-replayed',
    'x-has-more',
  ],
  ...['limit', 'remaining', 'reset'].flatMap((what) => [`x-ratelimit-${what}-requests`, `x-ratelimit-${what}-tokens`]),
];

/** Time for the last bytes after the last request, in milliseconds. */
const LAST_BYTES_MS = 1_000;

/** Starts the gateway: REST and gRPC on their ports, a session to every worker, the fleet watched. */
export async function startGateway(config: HydraConfig, logger: Logger): Promise<RunningGateway> {
  const { host, httpPort, grpcPort, corsOrigins } = config.gateway;
  const tls = openPublicTls(config, logger);
  const app = await NestFactory.create<NestFastifyApplication>(
    GatewayModule.for(config, logger, tls),
    createHttpAdapter(config, tls.listener),
    { bodyParser: false, bufferLogs: true, abortOnError: false },
  );
  app.useLogger(app.get(PinoLogger));
  const gate = app.get(AdmissionGate);
  if (corsOrigins.length > 0) {
    const origin = corsOrigins.includes('*') ? '*' : [...corsOrigins];
    app.enableCors({ origin, methods: CORS_METHODS, exposedHeaders: EXPOSED_HEADERS, strictPreflight: false });
  }
  SwaggerModule.setup('docs', app, openApiDocument(productVersion(), adminDocument(app)), {
    jsonDocumentUrl: 'openapi.json',
    raw: ['json'], // no second form of the document, in YAML, under a path that nobody chose
  });
  if (config.gateway.console === 'on' && !serveConsole(app.getHttpAdapter().getInstance(), CONSOLE_FOLDER)) {
    logger.warn({ folder: CONSOLE_FOLDER }, 'the console is not built');
  }
  closeConnectionsWhenLeaving(gate, app.getHttpAdapter().getInstance());
  addRestAuthentication(app.getHttpAdapter().getInstance(), app.get(RequestGuard), corsOrigins.length > 0);
  const metrics = app.get(GatewayMetrics);
  metrics.observeInFlight(() => gate.inFlight);
  countAnswers(app.getHttpAdapter().getInstance(), metrics);

  const grpc = app.get(GrpcServer);
  await app.listen(httpPort, host);
  const boundGrpcPort = await grpc.listen(host, grpcPort);
  const { port: boundHttpPort } = app.getHttpServer().address() as { port: number };
  logger.info({ http_port: boundHttpPort, grpc_port: boundGrpcPort }, 'gateway listens');

  return {
    httpPort: boundHttpPort,
    grpcPort: boundGrpcPort,
    stop: async (graceMs, noticed) => {
      gate.announceLeave();
      grpc.announceShutdown();
      await noticed;
      app.getHttpServer().close(); // no new connections from now on
      grpc.sendClientsAway();
      await gate.drain(graceMs);
      const cut = setTimeout(() => app.getHttpServer().closeAllConnections(), LAST_BYTES_MS);
      await Promise.all([app.close(), grpc.close(LAST_BYTES_MS)]);
      clearTimeout(cut);
      tls.close();
      await app
        .get(UsageRecorder)
        .close()
        .finally(() => app.get(Identity).close());
    },
  };
}
