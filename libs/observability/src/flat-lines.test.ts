import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { FlatLines } from './flat-lines.js';
import { REDACTED } from './logger.js';

describe('FlatLines', () => {
  it('given a line, then it is that of the logger, at the level which the logger has by then', () => {
    const lines: unknown[] = [];
    const logger = pino(
      { messageKey: 'message', redact: [...REDACTED] },
      { write: (line) => lines.push(JSON.parse(line)) },
    );
    const flat = new FlatLines(logger);
    flat.info({ request_id: 'a', ms: 3 }, 'ended');
    logger.level = 'error';
    flat.info({ request_id: 'b' }, 'ended');
    expect(lines).toEqual([expect.objectContaining({ level: 30, request_id: 'a', ms: 3, message: 'ended' })]);
  });

  it('given the paths that are redacted, then each leads into an object: a flat line has none', () => {
    expect(REDACTED.filter((path) => !path.includes('.'))).toEqual([]);
  });
});
