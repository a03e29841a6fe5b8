import Fastify from 'fastify';
import { pino } from 'pino';
import { expect, it } from 'vitest';
import { logRequests } from './request-log.js';

it('given a path as long as a head, when its request is logged, then the line is short and has no query', async () => {
  const lines: string[] = [];
  const server = Fastify();
  logRequests(server, pino({ level: 'debug' }, { write: (line: string) => void lines.push(line) }));
  await server.inject(`/${'x'.repeat(9_000)}?secret=1`);
  await server.close();
  expect(lines).toHaveLength(1);
  expect(lines[0]?.length).toBeLessThan(1_000);
  expect(JSON.parse(String(lines[0]))).toMatchObject({ req: { method: 'GET', url: `/${'x'.repeat(511)}` } });
  expect(lines[0]).not.toContain('secret');
});
