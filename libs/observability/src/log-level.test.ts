import { pino } from 'pino';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { LogLevel } from './log-level.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function levelOf() {
  const lines: string[] = [];
  const logger = pino({ level: 'info', base: { app: 'worker-0' } }, { write: (line: string) => lines.push(line) });
  return { logger, lines, level: new LogLevel(logger) };
}

it('given a level for a time, when the time is over, then the level from before holds again', () => {
  const { logger, lines, level } = levelOf();
  logger.debug('unheard');
  expect(level.set('debug', 1_000)).toEqual({ app: 'worker-0', level: 'debug', before: 'info' });
  logger.debug('heard');
  vi.advanceTimersByTime(1_000);
  logger.debug('unheard');
  expect(lines).toHaveLength(1);
});

it('given two changes for a time, when both are over, then the configured level holds', () => {
  const { logger, level } = levelOf();
  level.set('debug', 1_000);
  vi.advanceTimersByTime(500);
  level.set('trace', 1_000);
  vi.advanceTimersByTime(600);
  expect(logger.level).toBe('trace');
  vi.advanceTimersByTime(400);
  expect(logger.level).toBe('info');
});

it('given a change for good after one for a time, when that time is over, then the change stays', () => {
  const { logger, level } = levelOf();
  level.set('debug', 1_000);
  level.set('warn', 0);
  vi.advanceTimersByTime(2_000);
  expect(logger.level).toBe('warn');
});

it('given a level that somebody else has set meanwhile, when the time is over, then that one stays', () => {
  const { logger, level } = levelOf();
  level.set('debug', 1_000);
  logger.level = 'error';
  vi.advanceTimersByTime(2_000);
  expect(logger.level).toBe('error');
});
