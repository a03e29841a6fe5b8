import { spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CLI, hydra } from './support/hydra.js';
import { type RunningPlatform, startPlatform } from './support/platform.js';

const LLAMA = fileURLToPath(new URL('data/models/llama', import.meta.url));

const home = mkdtempSync(join(tmpdir(), 'hydra-home-'));
/** Nothing listens there: what asks the network fails at once. */
const OFFLINE = { HYDRA_HOME: home, HF_ENDPOINT: 'http://127.0.0.1:1' };
const compiledFolders = () => readdirSync(join(home, 'compiled')).filter((name) => !name.startsWith('.'));
afterAll(() => rmSync(home, { recursive: true, force: true }));

describe('hydra', () => {
  it('given a reader that has seen enough, when more is written, then it ends without a word', async () => {
    const child = spawn(process.execPath, [CLI, '--help']);
    child.stdout.destroy();
    const [stderr, code] = await Promise.all([
      text(child.stderr),
      new Promise((resolve) => child.once('exit', resolve)),
    ]);
    expect([code, stderr]).toEqual([0, '']);
  });

  it('given an old Node, when started, then it says which one is needed and where it is', async () => {
    const older = `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.19.2' } })`;
    const options = `--import=data:text/javascript,${encodeURIComponent(older)}`;
    const { code, stderr } = await hydra(['--help'], { NODE_OPTIONS: options });
    expect(code).toBe(69);
    expect(stderr).toMatch(/this is Node 20\.19\.2, and 24 is needed.*npm run/);
  });
});

it('given days that are none, or more than the authority has, when a certificate is issued, then it says so', async () => {
  const env = { HYDRA_CERTIFICATES: join(home, 'certificates') };
  expect((await hydra(['certs', 'init'], env)).code).toBe(0);
  for (const days of ['0', '-1', '1.5', 'ten', '']) {
    const { code, stderr } = await hydra(['certs', 'issue', 'client', 'alice', `--days=${days}`], env);
    expect([code === 0, stderr], days).toEqual([false, expect.stringContaining('Expected a whole number, at least 1')]);
  }
  const { code, stderr } = await hydra(['certs', 'issue', 'client', 'alice', '--days', '4000'], env);
  expect([code, stderr]).toEqual([1, expect.stringContaining('4000 days are beyond the end of the authority')]);
});

it('given a file that is not there, when checked, then it is named, and no variable is blamed', async () => {
  const { code, stderr } = await hydra(['config', 'check', '/nowhere.yaml']);
  expect(code).not.toBe(0);
  expect(stderr).toContain('there is no file /nowhere.yaml');
  expect(stderr).not.toContain('HYDRA_CONFIG');
});

it('given two forms for one answer, when usage is asked for, then it is refused', async () => {
  const { code, stderr } = await hydra(['usage', '--csv', '--json']);
  expect(code).not.toBe(0);
  expect(stderr).toMatch(/--csv.*cannot be used with.*--json/);
});

describe('hydra --help', () => {
  it.each([
    [[], /First steps:[\s\S]*hydra up/],
    [['up'], /HYDRA_MODEL[\s\S]*HYDRA_WEIGHTS[\s\S]*HYDRA_WORKERS[\s\S]*HYDRA_ENGINE[\s\S]*HYDRA_HTTP_PORT/],
    [['pull'], /hub id[\s\S]*HF_TOKEN[\s\S]*Examples/],
    [['compile'], /fp32 is the reference[\s\S]*Examples/],
    [['models'], /list[\s\S]*pull[\s\S]*rm[\s\S]*prune/],
    [['models', 'list'], /unfinished/],
    [['models', 'pull'], /Examples/],
    [['chat'], /Examples/],
    [['status'], /leases/],
    [['tenants'], /list[\s\S]*create[\s\S]*suspend[\s\S]*add-account/],
    [['policies', 'create'], /patterns[\s\S]*HYDRA_API_KEY/],
    [['keys'], /bootstrap[\s\S]*create[\s\S]*rotate[\s\S]*revoke/],
    [['keys', 'bootstrap'], /HYDRA_API_KEY[\s\S]*HYDRA_AUTH=required/],
    [['bench'], /TTFT[\s\S]*Examples/],
    [['simulate'], /--strategy[\s\S]*Examples/],
  ])('given %j, then it teaches', async (args, pattern) => {
    const { code, stdout } = await hydra([...args, '--help']);
    expect(code).toBe(0);
    expect(stdout).toMatch(pattern);
  });
});

describe('hydra pull, compile and models', () => {
  it('given a folder, when compiled twice, then the second finds the first', async () => {
    const first = await hydra(['compile', LLAMA], OFFLINE);
    expect(first).toMatchObject({ code: 0, stderr: expect.stringContaining('100 %') });
    expect(first.stdout).toMatch(/^llama: llama, fp32 weights of \d+\.\d kB, 512 tokens of context, at /);
    const second = await hydra(['compile', LLAMA], OFFLINE);
    expect(second).toEqual({ code: 0, stdout: first.stdout, stderr: '' });
    expect(compiledFolders()).toHaveLength(1);
  });

  it('given a path that exists without ./ before it, when compiled, then it is the same folder', async () => {
    const relative = await hydra(['compile', 'test/data/models/llama'], OFFLINE);
    expect(relative).toEqual({ code: 0, stdout: expect.stringMatching(/^llama: llama, fp32/), stderr: '' });
    expect(compiledFolders()).toHaveLength(1);
  });

  it('given other weights and another context, when compiled, then each has its place', async () => {
    const smaller = await hydra(['compile', LLAMA, '--weights', 'int8'], OFFLINE);
    expect(smaller.stdout).toMatch(/int8 weights[\s\S]*a copy in fp32 of .* that computes prompts/);
    const short = await hydra(['compile', LLAMA, '--context-tokens', '64'], OFFLINE);
    expect(short.stdout).toContain('64 tokens of context');
    expect(compiledFolders()).toHaveLength(4);
  });

  it('given a folder of your own, when pulled, listed and removed, then it stays where it is', async () => {
    expect((await hydra(['pull', LLAMA], OFFLINE)).stdout).toContain(`from folder, at ${LLAMA}`);
    expect((await hydra(['models', 'list'], OFFLINE)).stdout).toMatch(/smollm2-135m-instruct +available/);
    const removed = await hydra(['models', 'rm', LLAMA], OFFLINE);
    expect(removed).toMatchObject({ code: 1, stderr: expect.stringContaining('which is never removed') });
    expect(readdirSync(LLAMA)).toContain('model.safetensors');
  });

  it('given an interrupted download, when pruned, then it and only it goes', async () => {
    const unfinished = join(home, 'models', 'hub--org--name--main');
    mkdirSync(unfinished, { recursive: true });
    writeFileSync(join(unfinished, 'model.safetensors.part'), 'x'.repeat(5_000));
    expect((await hydra(['models', 'list'], OFFLINE)).stdout).toMatch(/org--name.*unfinished +5\.0 kB/);
    const pruned = await hydra(['models', 'prune'], OFFLINE);
    expect(pruned.stdout).toMatch(/removed unfinished download hub--org--name--main\nfreed 5\.0 kB/);
    expect(compiledFolders()).toHaveLength(4);
  });

  it.each([
    [['pull', 'org/name'], /^hydra: org\/name could not be downloaded from hub org\/name: .*\n$/],
    [['pull', 'nonsense'], /^hydra: Unknown model "nonsense": .*smollm2-135m-instruct.*\n$/],
    [['pull', './nowhere'], /^hydra: Unknown model ".*nowhere": there is no such file or folder\.\n$/],
    [['compile', LLAMA, '--context-tokens', '9999'], /^hydra: .*9999.*512.*\n$/],
    [['compile', LLAMA, '--context-tokens', 'many'], /Expected a whole number/],
    [['compile', LLAMA, '--weights', 'int3'], /^hydra: HYDRA_WEIGHTS: expected one of `auto`.*\n$/],
    [['models', 'rm', 'smollm2-135m-instruct'], /^hydra: .*is not downloaded\.\n$/],
  ])('given %j, then one sentence says why not', async (args, sentence) => {
    const { code, stderr } = await hydra(args, OFFLINE);
    expect(stderr).toMatch(sentence);
    expect(code).toBeGreaterThan(0);
  });

  it.each([
    ['pull', 'missing', (path: string) => rmSync(path), 'tokenizer.json is missing: the model cannot read text'],
    ['compile', 'broken', (path: string) => writeFileSync(path, '{"model": 1'), 'tokenizer.json cannot be loaded: .*'],
    ['up', 'empty', (path: string) => writeFileSync(path, ''), 'tokenizer.json cannot be loaded: .*'],
  ])(
    'given %s of a model whose tokenizer is %s, then one sentence says so at once',
    async (command, how, harm, why) => {
      const folder = join(home, `tokenizer-${how}`);
      cpSync(LLAMA, folder, { recursive: true });
      harm(join(folder, 'tokenizer.json'));
      const before = compiledFolders();
      const named = command === 'up' ? { ...OFFLINE, HYDRA_MODEL: folder } : OFFLINE;
      const { code, stdout, stderr } = await hydra(command === 'up' ? ['up'] : [command, folder], named);
      expect(stderr).toMatch(new RegExp(`^hydra: ${folder} cannot be used: ${why}\\.\n$`));
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
      expect(compiledFolders()).toEqual(before);
    },
  );

  it('given weights that are cut off, when compiled, then nothing is kept', async () => {
    const broken = join(home, 'broken');
    cpSync(LLAMA, broken, { recursive: true });
    writeFileSync(join(broken, 'model.safetensors'), 'garbage');
    const { code, stderr } = await hydra(['compile', broken], OFFLINE);
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringMatching(/^hydra: .*safetensors file.*\n$/) });
    expect(compiledFolders()).toHaveLength(4);
  });
});

describe('hydra chat, status and bench', () => {
  let platform: RunningPlatform;
  beforeAll(async () => {
    platform = await startPlatform({
      env: { ...OFFLINE, HYDRA_ENGINE: 'mock', HYDRA_MOCK_TTFT_MS: '1', HYDRA_MOCK_ITL_MS: '1' },
    });
  });
  afterAll(() => platform?.stop());

  it('given a question, when asked of the platform that runs here, then the answer is printed', async () => {
    const { code, stdout } = await hydra(['chat', '--max-tokens', '8', 'What', 'is', 'this?'], OFFLINE);
    expect(code).toBe(0);
    expect(stdout.trim().length).toBeGreaterThan(0);
  });

  it('given questions in a pipe, when chatted, then each is answered, and nothing else is printed', async () => {
    const args = ['chat', '--max-tokens', '4', '--temperature', '0'];
    const one = await hydra(args, OFFLINE, 'first\n');
    const two = await hydra(args, OFFLINE, 'first\n\nsecond');
    expect(two.code).toBe(0);
    expect(two.stdout.startsWith(one.stdout)).toBe(true);
    expect(two.stdout.trimEnd().split('\n').length).toBe(one.stdout.trimEnd().split('\n').length * 2);
  });

  it('given an unknown model or no platform, when chatted, then one sentence says so', async () => {
    const unknown = await hydra(['chat', '--model', 'none', 'hi'], OFFLINE);
    expect(unknown).toMatchObject({ code: 1, stderr: "hydra: The model 'none' does not exist.\n" });
    const nobody = await hydra(['chat', '--url', '127.0.0.1:9', 'hi']);
    expect(nobody).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^hydra: nobody answers at http:\/\/127\.0\.0\.1:9 .*hydra up\n$/),
    });
  });

  it('given --once, when the status is asked, then one table shows the worker', async () => {
    const { code, stdout } = await hydra(['status', '--once'], OFFLINE);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^worker .*running .*KV total[^\n]*\nworker-0 +mock +smollm2-135m-instruct .*ready\n/);
    expect(stdout).toMatch(/1 workers, 0 requests waiting\n$/);
  });

  it('given no scheduler, when the status is asked, then one sentence says so', async () => {
    const { code, stderr } = await hydra(['status', '--scheduler', '127.0.0.1:9', '--once'], OFFLINE);
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: 'hydra: no scheduler answers at 127.0.0.1:9; start a platform with: hydra up\n',
    });
  });

  it('given --json, when benched, then figures for each concurrency are printed', async () => {
    const args = ['bench', platform.url, '--concurrency', '1,4', '--requests', '4', '--max-tokens', '8', '--json'];
    const { code, stdout } = await hydra(args, OFFLINE);
    expect(code).toBe(0);
    const results = JSON.parse(stdout) as { ttftMs: { p50: number; p99: number }; tokensPerSecond: number }[];
    expect(results).toMatchObject([
      { concurrency: 1, requests: 4, failedRequests: 0, outputTokens: 32 },
      { concurrency: 4, requests: 4, failedRequests: 0, outputTokens: 32 },
    ]);
    for (const { ttftMs, tokensPerSecond } of results) {
      expect(ttftMs.p50).toBeGreaterThan(0);
      expect(ttftMs.p99).toBeGreaterThanOrEqual(ttftMs.p50);
      expect(tokensPerSecond).toBeGreaterThan(0);
    }
  });

  it('given requests that fail, when benched, then the first reason is told and the exit code is 1', async () => {
    const { code, stderr } = await hydra(
      ['bench', '--model', 'none', '--concurrency', '1', '--requests', '1'],
      OFFLINE,
    );
    expect(code).toBe(1);
    expect(stderr).toBe("hydra: some requests failed, the first with: The model 'none' does not exist.\n");
  });

  it('given its ports in use, when started again, then one sentence names the variable', async () => {
    const port = new URL(platform.url).port;
    const { code, stderr } = await hydra(['up'], { ...OFFLINE, HYDRA_ENGINE: 'mock', HYDRA_HTTP_PORT: port });
    expect(code).toBe(1);
    expect(stderr).toBe(
      `hydra: port ${port} on 127.0.0.1 is in use; set HYDRA_HTTP_PORT to another, or end the process that has it\n`,
    );
  });
});
