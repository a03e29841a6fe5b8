import { describe, expect, it } from 'vitest';
import { loadConfig } from '#lib/config';
import { JsonOutput, PrettyOutput } from './platform-output.js';

const addresses = {
  gatewayUrl: 'http://h:1',
  consoleUrl: 'http://h:1/',
  grpcTarget: 'h:2',
  schedulerTarget: 'h:3',
  kvcaches: [],
  needsKey: false,
};
const { models } = loadConfig({ env: {}, folder: '/nowhere' });

describe('JsonOutput', () => {
  it('given whatever is said, then every line is one JSON object with the name of its app', () => {
    let text = '';
    const output = new JsonOutput((part) => {
      text += part;
    });
    output.line('gateway', '{"level":"info","app":"gateway","message":"it listens"}');
    output.line('worker-0', 'worker-0 ended with code 70; restarting in 250 ms');
    output.line('worker-0', '{ not JSON');
    output.line('worker-0', '');
    output.ready(addresses, models);
    output.failed('gateway ended');
    output.stopping();
    expect(text.endsWith('\n')).toBe(true);
    const lines = text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines.map(({ level, app }) => `${level} ${app}`)).toEqual([
      'info gateway',
      ...Array<string>(3).fill('warn worker-0'),
      'info hydra',
      'fatal hydra',
      'info hydra',
    ]);
    expect(lines[1].message).toBe('worker-0 ended with code 70; restarting in 250 ms');
    expect(lines[4]).toMatchObject({
      console: 'http://h:1/',
      rest: 'http://h:1/v1',
      grpc: 'h:2',
      models: ['smollm2-135m-instruct'],
    });
  });
});

describe('PrettyOutput', () => {
  it('given lines of apps, then each has the name of its app before it, and failures go to standard error', () => {
    let text = '';
    let errors = '';
    const output = new PrettyOutput(
      (part) => {
        text += part;
      },
      (part) => {
        errors += part;
      },
    );
    output.line('gateway', 'it listens');
    output.ready(addresses, models);
    output.failed('gateway ended');
    expect(text).toMatch(
      /^gateway {3}│ it listens\n\nHydraServe is ready\.\n\n {2}console {3}http:\/\/h:1\/\n {2}REST {6}http:\/\/h:1\/v1\n/,
    );
    expect(errors).toBe('hydra: gateway ended; see its lines above\n');
  });
  it.each([false, true])('given that credentials are needed: %s, then the line to paste has one or not', (needsKey) => {
    let text = '';
    const output = new PrettyOutput(
      (part) => {
        text += part;
      },
      () => {},
    );
    output.ready({ ...addresses, needsKey }, models);
    expect(text).toContain('curl -N http://h:1/v1/chat/completions');
    expect(text.includes('-H "authorization: Bearer $HYDRA_API_KEY"')).toBe(needsKey);
  });
});
