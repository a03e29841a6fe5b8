import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { ListeningMessage } from '#lib/observability';
import { ChildApp, type ChildAppOptions } from './child-app.js';

const LISTEN = `process.send({ kind: 'listening', httpPort: 1, grpcPort: process.pid }); process.on('SIGTERM', () => process.exit(0)); setInterval(() => {}, 1000);`;

let app: ChildApp | undefined;
afterEach(() => app?.kill());

function childOf(code: string, settings: Partial<ChildAppOptions> = {}) {
  const entry = join(mkdtempSync(join(tmpdir(), 'hydra-child-')), 'app.mjs');
  writeFileSync(entry, code);
  const lines: string[] = [];
  const listening: ListeningMessage[] = [];
  const waiting: ((ports: ListeningMessage) => void)[] = [];
  const givenUp = Promise.withResolvers<string>();
  app = new ChildApp({
    name: 'fixture',
    entry,
    env: () => ({ KEPT: String(app?.ports?.grpcPort) }),
    onLine: (_name, line) => lines.push(line),
    onListening: (ports) => {
      listening.push(ports);
      waiting.shift()?.(ports);
    },
    onGivenUp: (_name, reason) => givenUp.resolve(reason),
    ...settings,
  });
  const nextListening = () => new Promise<ListeningMessage>((resolve) => waiting.push(resolve));
  return { app, lines, listening, nextListening, givenUp: givenUp.promise };
}

describe('ChildApp', () => {
  it('given an app that listens, when killed from outside, then it is started again and says so', async () => {
    const { app, lines, nextListening } = childOf(LISTEN);
    const first = await app.start();
    const again = nextListening();
    process.kill(app.pid as number, 'SIGKILL');
    expect((await again).grpcPort).not.toBe(first.grpcPort);
    expect(lines.join()).toContain('was ended by SIGKILL; restarting in 250 ms');
  });

  it('given an app that listened, when it is started again, then its environment can name the ports it had', async () => {
    const { app, lines, nextListening } = childOf(`console.log('kept ' + process.env.KEPT); ${LISTEN}`);
    const { grpcPort } = await app.start();
    const again = nextListening();
    process.kill(app.pid as number, 'SIGKILL');
    await again;
    expect(lines.filter((line) => line.startsWith('kept'))).toEqual(['kept undefined', `kept ${grpcPort}`]);
  });

  it('given flags and defaults, when it is started, then Node has them, and what the environment has goes before', async () => {
    const shown = `console.log('runs ' + process.execArgv.at(-1) + ' ' + process.env.OF_ITSELF + ' ' + process.env.PATH); ${LISTEN}`;
    const defaults = { OF_ITSELF: 'yes', PATH: 'never' };
    const { app, lines } = childOf(shown, { flags: ['--max-http-header-size=4096'], defaults });
    await app.start();
    await expect.poll(() => lines).toContain(`runs --max-http-header-size=4096 yes ${process.env['PATH']}`);
  });

  it('given an app that listens, when stopped, then it ends and is not started again', async () => {
    const { app, listening } = childOf(LISTEN);
    const { grpcPort: pid } = await app.start();
    await app.stop(5_000);
    expect(() => process.kill(pid, 0)).toThrow();
    expect(listening).toHaveLength(1);
  });

  it('given an app that ignores SIGTERM, when stopped, then it is killed', async () => {
    const { app } = childOf(`process.on('SIGTERM', () => {}); ${LISTEN.replace(/process\.on.*?0\)\);/, '')}`);
    const { grpcPort: pid } = await app.start();
    await app.stop(100);
    expect(() => process.kill(pid, 0)).toThrow();
  });

  it('given an app that does not listen yet and would take its time, when stopped, then it is killed at once', async () => {
    const { app } = childOf(`process.on('SIGTERM', () => {}); console.log('begins'); setInterval(() => {}, 1000);`);
    app.start().catch(() => {});
    const pid = app.pid as number;
    await app.stop(600_000);
    expect(() => process.kill(pid, 0)).toThrow();
  });

  it('given a wrong configuration (exit 78), when started, then it is given up at once', async () => {
    const { app, givenUp } = childOf('console.error("models: wrong"); process.exit(78);');
    await expect(app.start()).rejects.toThrow('ended with code 78');
    expect(await givenUp).toContain('before it was ready');
  });

  it('given an app that crashes before it listens, when started, then it is given up after three starts', async () => {
    const { app, lines } = childOf('process.exit(3);');
    await expect(app.start()).rejects.toThrow('ended with code 3');
    expect(lines.filter((line) => line.includes('restarting'))).toHaveLength(2);
  });
});
