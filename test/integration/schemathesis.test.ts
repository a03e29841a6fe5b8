import { execFile } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startFuzzPlatform } from '../support/fuzz-platform.js';
import type { RunningPlatform } from '../support/platform.js';

const run = promisify(execFile);

/** Of each phase; `scripts/fuzz-api.sh` sets more. */
const SECONDS = Number(process.env['HYDRA_FUZZ_SECONDS'] ?? 40);
const EXAMPLES = Number(process.env['HYDRA_FUZZ_EXAMPLES'] ?? 15);

/**
 * Left out: whether what breaks the schema is refused and what fits it is taken. Bodies may have fields we do not know, and a
 * model, a tenant or a context that a schema cannot know decides about the rest.
 */
const UNCHECKED = 'negative_data_rejection,positive_data_acceptance';

let platform: RunningPlatform;
let key: string;
beforeAll(async () => {
  ({ platform, key } = await startFuzzPlatform());
});
afterAll(() => platform?.stop());

/** Tries the whole OpenAPI document. @returns what it found; empty when all is well */
async function findings(headers: readonly string[], unchecked = UNCHECKED): Promise<string> {
  const python = process.env['HYDRA_TEST_PYTHON'];
  if (!python) throw new Error('HYDRA_TEST_PYTHON is not set: run `make test-integration`');
  const args = ['run', `${platform.url}/openapi.json`, '--phases', 'examples,coverage,fuzzing', '--no-shrink'];
  const bounds = ['--max-examples', String(EXAMPLES), '--max-time', String(SECONDS), '--request-timeout', '30'];
  const options = ['--exclude-checks', unchecked, '--warnings', 'off', '--continue-on-failure', '--no-color'];
  const cwd = mkdtempSync(join(tmpdir(), 'hydra-schemathesis-')); // where it keeps what it found
  try {
    const all = [...args, ...bounds, ...options, ...headers.flatMap((header) => ['--header', header])];
    await run(join(dirname(python), 'st'), all, { cwd, maxBuffer: 64 * 2 ** 20 });
    return '';
  } catch (error) {
    return String((error as { stdout?: unknown }).stdout ?? error);
  }
}

describe('Schemathesis, over the whole OpenAPI document', () => {
  it('given a key that may do everything, then no answer is a fault of the server or breaks its schema', async () => {
    expect(await findings([`Authorization: Bearer ${key}`])).toBe('');
    expect((await fetch(`${platform.url}/health/ready`)).status).toBe(200);
  });

  it('given no key, then neither', async () => {
    // Nobody without a key is told which methods there are: 401 comes before 405.
    expect(await findings([], `${UNCHECKED},unsupported_method`)).toBe('');
    expect((await fetch(`${platform.url}/health/ready`)).status).toBe(200);
  });
});
