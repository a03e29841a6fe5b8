import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const LOGGER = fileURLToPath(new URL('../dist/libs/observability/src/index.js', import.meta.url));

/** Logs, then ends as a process does whose native code is stuck: no event, no handler. */
const script = (level: string, format: string) =>
  `import { createLogger } from ${JSON.stringify(LOGGER)};
   const logger = createLogger('app', { level: 'info', format: '${format}' });
   logger.info('before');
   logger.${level}('last');
   process.kill(process.pid, 'SIGKILL');`;

function outputOf(level: string, format: string): string {
  try {
    return execFileSync(process.execPath, ['--input-type=module', '--eval', script(level, format)], {
      encoding: 'utf8',
    });
  } catch (error) {
    return (error as { stdout: string }).stdout;
  }
}

it.each(['json', 'pretty'])(
  'given a fatal line in %s, when the process is killed right behind it, then it and those before it have left',
  (format) => {
    expect(outputOf('fatal', format)).toMatch(/before[\s\S]*last/);
  },
);
