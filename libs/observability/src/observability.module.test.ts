import { Controller, Get, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { afterEach, describe, expect, it } from 'vitest';
import { Readiness, type ReadinessState } from './health.js';
import { createLogger } from './logger.js';
import { ObservabilityModule } from './observability.module.js';

class Switchable extends Readiness {
  static isReady = false;
  check(): ReadinessState {
    return { isStarted: true, isReady: Switchable.isReady, detail: 'one model' };
  }
}

@Controller()
class Hello {
  @Get('hello')
  hello() {
    return 'hello';
  }
}

@Module({
  imports: [
    ObservabilityModule.forApp({
      logger: createLogger('test', { level: 'silent', format: 'json' }),
      readiness: Switchable,
    }),
  ],
  controllers: [Hello],
})
class App {}

let app: NestFastifyApplication | undefined;
afterEach(async () => {
  await app?.close();
});

async function start(): Promise<NestFastifyApplication> {
  app = await NestFactory.create<NestFastifyApplication>(App, new FastifyAdapter(), { logger: false });
  await app.init();
  return app;
}

describe('ObservabilityModule', () => {
  it('given an app that is not ready, when asked, then live and startup are 200 and ready is 503 with the reason', async () => {
    Switchable.isReady = false;
    const server = await start();
    expect((await server.inject('/health/live')).statusCode).toBe(200);
    expect((await server.inject('/health/startup')).statusCode).toBe(200);
    const ready = await server.inject('/health/ready');
    expect(ready.statusCode).toBe(503);
    expect(ready.body).toContain('one model');
    Switchable.isReady = true;
    expect((await server.inject('/health/ready')).statusCode).toBe(200);
  });

  it('given a running app, when scraped, then /metrics exports text with Node metrics', async () => {
    const server = await start();
    const metrics = await server.inject('/metrics');
    expect(metrics.statusCode).toBe(200);
    expect(metrics.body).toContain('process_cpu_seconds_total');
  });
});
