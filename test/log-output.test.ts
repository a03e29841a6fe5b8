import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const LOGGER = fileURLToPath(new URL('../dist/libs/observability/src/logger.js', import.meta.url));

/** Logs a line, and more once its input ends; then exits with the code 7. */
const app = (format: string) => `
  import { createLogger } from ${JSON.stringify(LOGGER)};
  const logger = createLogger('app', { level: 'info', format: '${format}' });
  logger.info({ worker: 'w' }, 'begins');
  process.stdin.on('end', () => {
    for (let i = 0; i < 100; i++) logger.info('nobody reads this');
    process.exit(7);
  }).resume();`;

function start(format: string) {
  return spawn(process.execPath, ['--input-type=module', '-e', app(format)], { stdio: ['pipe', 'pipe', 'inherit'] });
}

it.each(['json', 'pretty'])(
  'given a reader that goes away, when %s lines are logged, then the app still ends',
  async (format) => {
    const child = start(format);
    const [first] = await once(child.stdout, 'data');
    expect(String(first)).toMatch(
      format === 'json' ? /"worker":"w","message":"begins"}\n$/ : /INFO: begins \{"worker":"w"\}\n$/,
    );
    child.stdout.destroy();
    child.stdin.end();
    expect(await once(child, 'exit')).toEqual([7, null]);
  },
);

it.each(['json', 'pretty'])('given lines right before an exit, when %s, then none is lost', async (format) => {
  const child = start(format);
  child.stdin.end();
  let text = '';
  for await (const bytes of child.stdout) text += bytes;
  expect(text.split('\n').filter((line) => line.includes('nobody reads this'))).toHaveLength(100);
});
