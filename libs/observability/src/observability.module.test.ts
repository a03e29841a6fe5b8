import { Controller, Get, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { pino } from 'pino';
import { afterEach, describe, expect, it } from 'vitest';
import { TEST_SERVICE, traceOptions } from '../testing/trace-options.js';
import { Readiness, type ReadinessState } from './health.js';
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

  @Get('broken')
  broken() {
    throw new Error('on purpose');
  }
}

const lines: Record<string, unknown>[] = [];
const logger = pino(
  { level: 'debug', messageKey: 'message' },
  { write: (line: string) => lines.push(JSON.parse(line)) },
);

@Module({
  imports: [
    ObservabilityModule.forApp({
      logger,
      tracing: traceOptions(),
      service: TEST_SERVICE,
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
    expect((await server.inject('/health')).statusCode).toBe(503);
    const ready = await server.inject('/health/ready');
    expect(ready.statusCode).toBe(503);
    expect(ready.body).toContain('one model');
    Switchable.isReady = true;
    expect((await server.inject('/health/ready')).statusCode).toBe(200);
  });

  it('given requests, when answered, then each is a line with its id, at error when it failed; probes are none', async () => {
    const server = await start();
    lines.length = 0;
    await server.inject({ url: '/hello?q=1', headers: { 'request-id': 'x' } });
    await server.inject('/broken');
    await server.inject('/nowhere');
    await server.inject('/health/live');
    expect(lines.filter((line) => 'res' in line)).toMatchObject([
      { level: 20, message: 'request completed', req: { method: 'GET', url: '/hello' }, res: { status: 200 } },
      { level: 50, message: 'request errored', req: { url: '/broken' }, res: { status: 500 } },
      { level: 20, req: { url: '/nowhere' }, res: { status: 404 } },
    ]);
    expect(lines.every((line) => !('res' in line) || typeof line['request_id'] === 'string')).toBe(true);
  });

  it('given a running app, when scraped, then /metrics exports text with Node metrics', async () => {
    const server = await start();
    const metrics = await server.inject('/metrics');
    expect(metrics.statusCode).toBe(200);
    expect(metrics.body).toContain('process_cpu_seconds_total');
  });
});
