import { mkdtempSync, readFileSync, rmSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EngineThread } from '#lib/engine';
import { compileModel, type OnnxEngineOptions, onnxEngine } from '#lib/engine-onnx';
import { describeEngine } from '../libs/engine/src/engine.conformance.js';
import { EventLog } from '../libs/engine/testing/event-log.js';
import { requestOf } from '../libs/engine/testing/requests.js';

const MODEL_FOLDER = fileURLToPath(new URL('data/models/llama', import.meta.url));
const SOURCE = {
  kind: 'hf-folder',
  folder: MODEL_FOLDER,
  id: MODEL_FOLDER,
  origin: 'folder',
  bytes: 0,
  contentKey: 'llama',
} as const;
const GOLDEN = JSON.parse(readFileSync(join(MODEL_FOLDER, 'golden.json'), 'utf8')) as {
  cases: { prompt: number[]; greedy: number[] }[];
};
/** The built entry: Node does not load TypeScript modules of ours in a thread. */
const ENTRY = new URL('../dist/libs/engine-onnx/src/engine-thread-entry.js', import.meta.url);
const NEVER = new AbortController().signal;

const storeFolder = mkdtempSync(join(tmpdir(), 'onnx-engine-'));
let options: OnnxEngineOptions;
beforeAll(async () => {
  const { folder } = await compileModel({ source: SOURCE, weights: 'fp32', storeFolder });
  const names = ['tokenizer.json', 'tokenizer_config.json', 'chat_template.jinja', 'generation_config.json'];
  options = {
    modelId: 'tiny-llama',
    compiledFolder: folder,
    textFiles: new Map(names.map((name) => [name, readFileSync(join(MODEL_FOLDER, name))])),
    threads: 1,
    kvBytes: 8 * 512 * 2 * 3 * 2 * 32 * 4, // 8 slots of the whole context
    waitingGenerations: 8,
  };
});
afterAll(() => rmSync(storeFolder, { recursive: true }));

const thread = (changed: Partial<OnnxEngineOptions> = {}) =>
  new EngineThread({ entry: ENTRY, workerData: { ...options, ...changed }, execArgv: [] });
const prompts = GOLDEN.cases.map(({ prompt }) => prompt);

describeEngine('the ONNX engine', async () => ({ engine: onnxEngine(options), prompts }));
describeEngine('the ONNX engine in its thread', async () => ({ engine: thread(), prompts }));

describe('the ONNX engine in its thread', () => {
  it('given the golden prompts at once, when run greedily, then each has its reference tokens', async () => {
    const engine = thread();
    const log = new EventLog(engine);
    await engine.start(NEVER);
    const requests = GOLDEN.cases.map(({ prompt }) =>
      requestOf({ modelId: 'tiny-llama', promptTokenIds: prompt, stop: { maxTokens: 24 } }),
    );
    for (const request of requests) expect(engine.submit(request).kind).toBe('accepted');
    for (const [index, { generationId }] of requests.entries()) {
      await log.end(generationId);
      expect(log.sequence(generationId).tokenIds).toEqual(GOLDEN.cases[index]!.greedy);
    }
    await engine.stop();
  });

  it('given memory for less than one sequence, when started, then it says so', async () => {
    await expect(thread({ kvBytes: 1_000 }).start(NEVER)).rejects.toThrow(
      '1000 bytes of KV memory do not hold one sequence of ',
    );
  });

  it('given a compiled model that was used again meanwhile, when started again, then it is no younger', async () => {
    const createdUnixS = async () => {
      const engine = thread();
      await engine.start(NEVER);
      await engine.stop();
      return engine.describe().model.createdUnixS;
    };
    const first = await createdUnixS();
    const nextYear = new Date(Date.now() + 365 * 86_400_000);
    utimesSync(options.compiledFolder, nextYear, nextYear); // as the store marks a use
    expect(await createdUnixS()).toBe(first);
    expect(first).toBeLessThanOrEqual(Date.now() / 1_000);
    expect(first).toBeGreaterThan(1_700_000_000);
  });

  it('given exact numerics and weights that are not fp32, when started, then it says so', async () => {
    const { folder } = await compileModel({ source: SOURCE, weights: 'int8', storeFolder });
    await expect(thread({ compiledFolder: folder, numerics: 'exact' }).start(NEVER)).rejects.toThrow(
      /^Exact numerics take fp32 weights; .* is compiled to int8\.$/,
    );
  });

  it('given numerics, when started, then they are told, and keep the fingerprints apart', async () => {
    const told = [];
    for (const numerics of ['exact', 'fast'] as const) {
      const engine = thread({ numerics });
      await engine.start(NEVER);
      told.push(engine.describe().model);
      await engine.stop();
    }
    expect(told.map(({ numerics }) => numerics)).toEqual(['exact', 'fast']);
    expect(told[0]?.modelFingerprint).not.toBe(told[1]?.modelFingerprint);
  });

  it('given a folder without a model, when started, then the error names it', async () => {
    const compiledFolder = join(storeFolder, 'absent');
    await expect(thread({ compiledFolder }).start(NEVER)).rejects.toThrow(compiledFolder);
  });

  it('given an engine that runs, when started and stopped many times, then memory does not grow', async () => {
    const engine = thread();
    const once = async () => {
      await engine.start(NEVER);
      await engine.stop();
    };
    for (let warmUp = 0; warmUp < 3; warmUp++) await once();
    const before = process.memoryUsage.rss();
    for (let start = 0; start < 10; start++) await once();
    expect(process.memoryUsage.rss() - before).toBeLessThan(100 * 1024 * 1024);
  });
});
