import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { PROCESS_SETTINGS } from './process-settings.js';

const STAGES = Object.fromEntries(
  readFileSync(new URL('../../../Dockerfile', import.meta.url), 'utf8')
    .split(/^FROM /m)
    .map((stage) => [/^\S+ AS (\S+)/.exec(stage)?.[1], stage]),
);

describe('PROCESS_SETTINGS', () => {
  it.each([
    ['gateway', PROCESS_SETTINGS.gateway],
    ['scheduler', PROCESS_SETTINGS.scheduler],
    ['kvcache', PROCESS_SETTINGS.kvcache],
    ['inference', PROCESS_SETTINGS.inference],
    ['inference-cuda', PROCESS_SETTINGS.inference],
  ])('given the image %s, when it is built, then it starts its app with them', (stage, { flags, env }) => {
    const [, command] = /^CMD (.*)$/m.exec(STAGES[stage]!)!;
    expect(JSON.parse(command!).slice(0, -1)).toEqual(flags);
    for (const [name, value] of Object.entries(env)) expect(STAGES[stage]).toContain(`\nENV ${name}=${value}\n`);
  });

  it.each(Object.entries(PROCESS_SETTINGS))(
    'given those of %s, when Node starts with them, then it runs silently',
    (_app, { flags, env }) => {
      const { status, stdout, stderr } = spawnSync(process.execPath, [...flags, '-e', 'process.stdout.write("ran")'], {
        env,
        encoding: 'utf8',
      });
      expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: 'ran', stderr: '' });
    },
  );
});
