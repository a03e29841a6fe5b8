import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { RULES } from '../support/alert-rules.js';

const PROMTOOL = process.env['HYDRA_TEST_PROMTOOL'] ?? '';
const TESTS = fileURLToPath(new URL('rules/', import.meta.url));

const promtool = async (...args: string[]) => {
  const { stdout, stderr } = await promisify(execFile)(PROMTOOL, args).catch((error) => error);
  return `${stdout}${stderr}`;
};

describe('rules and alerts', () => {
  it.each(['recording.yaml', 'alerts.yaml'])('given %s, when checked by promtool, then it is valid', async (file) => {
    expect(await promtool('check', 'rules', `${RULES}${file}`)).toMatch(/SUCCESS: \d+ rules found/);
  });

  it.each(readdirSync(TESTS))('given the tests of %s, when run by promtool, then all hold', async (file) => {
    const output = await promtool('test', 'rules', `${TESTS}${file}`);
    expect(output).toContain('SUCCESS');
    expect(output).not.toContain('FAILED');
  });
});
