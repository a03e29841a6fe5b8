import { execFile } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RunningPlatform, startPlatform } from '../support/platform.js';

const run = promisify(execFile);
const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

let platform: RunningPlatform;
beforeAll(async () => {
  platform = await startPlatform({ env: { HYDRA_ENGINE: 'mock', HYDRA_MOCK_TTFT_MS: '1', HYDRA_MOCK_ITL_MS: '1' } });
});
afterAll(() => platform?.stop());

function required(variable: string): string {
  const value = process.env[variable];
  if (!value) throw new Error(`${variable} is not set: run \`make test-integration\``);
  return value;
}

async function python(script: string, ...args: string[]): Promise<string> {
  return (await run(required('HYDRA_TEST_PYTHON'), [here(`clients/${script}`), ...args])).stdout;
}

describe('Python clients', () => {
  it("given the customer's request, when run unchanged but for the host, then tokens stream", async () => {
    const lines = (await python('customer_request.py', new URL(platform.url).host)).trim().split('\n');
    expect(lines.filter((line) => line.startsWith('data: {')).length).toBeGreaterThan(10);
    expect(lines.at(-1)).toBe('data: [DONE]');
  });

  it('given the openai package, when it chats, then whole and streamed answers agree and errors are typed', async () => {
    const result = JSON.parse(await python('openai_client.py', `${platform.url}/v1`));
    expect(result.streamed).toBe(result.whole);
    expect(result).toMatchObject({
      completion_tokens: 8,
      error: { param: 'temperature', type: 'invalid_request_error' },
    });
  });

  it('given a client generated from proto/, when it calls, then unary and streaming answers agree', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'hydra-grpc-'));
    const proto = here('../../proto');
    const generate = ['-m', 'grpc_tools.protoc', `-I${proto}`, `--python_out=${folder}`, `--grpc_python_out=${folder}`];
    await run(required('HYDRA_TEST_PYTHON'), [...generate, 'hydra/v1/inference.proto']);
    const result = JSON.parse(await python('grpc_client.py', platform.grpcTarget, folder));
    expect(result.streamed).toBe(result.whole);
    expect(result.completion_tokens).toBe(8);
    expect(result.chat.length).toBeGreaterThan(0);
    expect(result.models).toContain('mistralai/Mistral-7B-v0.1');
    expect(result.refused).toMatchObject({ status: 'NOT_FOUND', 'hydra-error-code': 'model_not_found' });
  });
});

describe('grpcurl', () => {
  const grpcurl = async (...args: string[]) =>
    (await run(required('HYDRA_TEST_GRPCURL'), ['-plaintext', ...args])).stdout;

  it('given reflection, when listed, then the service and health are there', async () => {
    const services = await grpcurl(platform.grpcTarget, 'list');
    expect(services).toContain('hydra.v1.Inference');
    expect(services).toContain('grpc.health.v1.Health');
    expect(await grpcurl(platform.grpcTarget, 'grpc.health.v1.Health/Check')).toContain('SERVING');
  });

  it('given no proto files, when a completion streams, then each message is one JSON object and the last has usage', async () => {
    const body = JSON.stringify({ model: 'default', prompts: [{ text: 'x' }], options: { max_tokens: 3 } });
    const output = await grpcurl('-d', body, platform.grpcTarget, 'hydra.v1.Inference/StreamComplete');
    expect(output).toContain('"finishReason": "length"');
    expect(output).toContain('"completionTokens": 3');
  });
});
