import { execFile } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FUZZED_MODEL, startFuzzPlatform } from '../support/fuzz-platform.js';
import type { RunningPlatform } from '../support/platform.js';

const run = promisify(execFile);

/** Of each phase; `scripts/fuzz-api.sh` sets more. */
const SECONDS = Number(process.env['HYDRA_FUZZ_SECONDS'] ?? 40);
const EXAMPLES = Number(process.env['HYDRA_FUZZ_EXAMPLES'] ?? 15);
/** Of a run that is to be tried again; its report says it. */
const SEED = process.env['HYDRA_FUZZ_SEED'];

/**
 * Left out: whether what breaks the schema is refused and what fits it is taken. Bodies may have fields we do not know, and a
 * model, a tenant or a context that a schema cannot know decides about the rest.
 */
const UNCHECKED = 'negative_data_rejection,positive_data_acceptance';

const CONFIG = fileURLToPath(new URL('support/schemathesis.toml', import.meta.url));
const TAKES_A_MODEL = /^\/v1\/(completions|chat\/completions|embeddings)$/;

interface OpenApiDocument {
  readonly paths: Readonly<Record<string, object>>;
  readonly components: { readonly schemas: Readonly<Record<string, { readonly properties: Record<string, object> }>> };
}

let platform: RunningPlatform;
let key: string;
beforeAll(async () => {
  ({ platform, key } = await startFuzzPlatform());
});
afterAll(() => platform?.stop());

interface Trial {
  readonly headers?: readonly string[];
  /** Checks that are left out. */
  readonly unchecked?: string;
  /** Address or file of the OpenAPI document. */
  readonly document?: string;
}

/** Tries all of an OpenAPI document. @returns what it found; empty when all is well */
async function findings({ headers = [], unchecked = UNCHECKED, ...trial }: Trial): Promise<string> {
  const python = process.env['HYDRA_TEST_PYTHON'];
  if (!python) throw new Error('HYDRA_TEST_PYTHON is not set: run `make test-integration`');
  const { document = `${platform.url}/openapi.json` } = trial;
  const args = ['--config-file', CONFIG, 'run', document, '--url', platform.url];
  const phases = ['--phases', 'examples,coverage,fuzzing', '--no-shrink'];
  const bounds = ['--max-examples', String(EXAMPLES), '--max-time', String(SECONDS), '--request-timeout', '30'];
  const options = ['--exclude-checks', unchecked, '--warnings', 'off', '--continue-on-failure', '--no-color'];
  const seed = SEED === undefined ? [] : ['--seed', SEED];
  const cwd = mkdtempSync(join(tmpdir(), 'hydra-schemathesis-')); // where it keeps what it found
  try {
    const sent = headers.flatMap((header) => ['--header', header]);
    await run(join(dirname(python), 'st'), [...args, ...phases, ...bounds, ...options, ...seed, ...sent], {
      cwd,
      maxBuffer: 64 * 2 ** 20,
    });
    return '';
  } catch (error) {
    const faults = platform.lines.filter((line) => line.includes('"level":"error"')).slice(-40);
    return [String((error as { stdout?: unknown }).stdout ?? error), 'The platform logged:', ...faults].join('\n');
  }
}

/** The document with what it cannot know: the model that is served. Only of what takes one. @returns the file */
async function documentOfServedModel(): Promise<string> {
  const whole = (await (await fetch(`${platform.url}/openapi.json`)).json()) as OpenApiDocument;
  const paths = Object.fromEntries(Object.entries(whole.paths).filter(([path]) => TAKES_A_MODEL.test(path)));
  expect(Object.keys(paths)).toHaveLength(3);
  for (const name of ['CompletionRequest', 'ChatCompletionRequest', 'EmbeddingRequest']) {
    whole.components.schemas[name]!.properties['model'] = { type: 'string', enum: [FUZZED_MODEL] };
  }
  const file = join(mkdtempSync(join(tmpdir(), 'hydra-openapi-')), 'openapi.json');
  writeFileSync(file, JSON.stringify({ ...whole, paths }));
  return file;
}

describe('Schemathesis, over the whole OpenAPI document', () => {
  it('given a key that may do everything, then no answer is a fault of the server or breaks its schema', async () => {
    expect(await findings({ headers: [`Authorization: Bearer ${key}`] })).toBe('');
    expect((await fetch(`${platform.url}/health/ready`)).status).toBe(200);
  });

  it('given the model that is served, then neither', async () => {
    const headers = [`Authorization: Bearer ${key}`];
    expect(await findings({ headers, document: await documentOfServedModel() })).toBe('');
    expect((await fetch(`${platform.url}/health/ready`)).status).toBe(200);
  });

  it('given no key, then neither', async () => {
    // Nobody without a key is told which methods there are: 401 comes before 405.
    expect(await findings({ unchecked: `${UNCHECKED},unsupported_method` })).toBe('');
    expect((await fetch(`${platform.url}/health/ready`)).status).toBe(200);
  });
});
