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

it('given line ends, quotes and escapes in what is logged, then each line is one JSON object that holds it as it was', async () => {
  const hostile = ['a\nb', '"}\n{"level":"fatal"', '\u001b[2J\u0007', '\u2028\u2029', '\\', 'a\r\nx: 1'];
  const child = spawn(
    process.execPath,
    [
      '--input-type=module',
      '-e',
      `import { createLogger } from ${JSON.stringify(LOGGER)};
       const logger = createLogger('app', { level: 'info', format: 'json' });
       for (const text of ${JSON.stringify(hostile)}) logger.info({ [text]: text }, text);`,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  let text = '';
  for await (const bytes of child.stdout) text += bytes;
  const lines = text.trimEnd().split('\n');
  expect(lines).toHaveLength(hostile.length);
  for (const [index, line] of lines.entries()) {
    const field = hostile[index] as string;
    expect(JSON.parse(line)).toMatchObject({ level: 'info', app: 'app', message: field, [field]: field });
  }
  expect(text).not.toContain('\u001b');
});
