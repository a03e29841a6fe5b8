import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FailureCode } from '#lib/contracts';
import type { Engine } from '#lib/engine';
import { EventLog } from '../../../engine/testing/event-log.js';
import { type RequestParts, requestOf } from '../../../engine/testing/requests.js';
import { compileForms } from '../compile/compile-forms.js';
import { onnxEngine } from '../onnx-engine.js';
import { GOLDEN, GOLDEN_MODEL } from '../testing/golden-adapters.js';
import { usableTextFiles } from '../usable-text-files.js';

const NAMES = Object.keys(GOLDEN.adapters);
const home = mkdtempSync(join(tmpdir(), 'adapter-engine-'));

describe.each(['exact', 'fast'] as const)('the engine with adapters, %s', (numerics) => {
  let engine: Engine;
  let log: EventLog;

  beforeAll(async () => {
    const source = {
      kind: 'hf-folder',
      ...{ folder: GOLDEN_MODEL, id: GOLDEN_MODEL, origin: 'folder', bytes: 0, contentKey: 'llama' },
    } as const;
    const weights = numerics === 'exact' ? 'fp32' : 'int8'; // there prompts have a copy in fp32
    const { compiled, prefill } = await compileForms({
      ...{ source, weights, prefillWeights: 'auto', memoryBytes: 1e9, storeFolder: home },
    });
    engine = onnxEngine({
      ...{ modelId: 'model', compiledFolder: compiled.folder, prefillFolder: prefill?.folder, numerics },
      ...{ textFiles: await usableTextFiles(source), threads: 1, kvBytes: 8 << 20, waitingGenerations: 16 },
      adapters: { most: 3, mostRank: 16 },
    });
    log = new EventLog(engine);
    await engine.start(new AbortController().signal);
  });
  afterAll(async () => {
    await engine.stop();
    rmSync(home, { recursive: true, force: true });
  });

  const load = (adapterId: string, name = adapterId) =>
    engine.loadAdapter({ adapterId, source: join(GOLDEN_MODEL, 'adapters', name) });
  const submit = (parts: RequestParts) => {
    const request = requestOf({ stop: { maxTokens: 24, ignoreEos: true }, ...parts });
    return { id: request.generationId, outcome: engine.submit(request) };
  };
  async function tokens(parts: RequestParts): Promise<number[]> {
    const { id } = submit(parts);
    await log.end(id);
    return log.sequence(id).tokenIds;
  }

  it('given all adapters, when their prompts run together with the base, then each has its own tokens', async () => {
    for (const name of NAMES) expect((await load(name)).kind).toBe('done');
    expect(engine.adapters().map(({ adapterId, rank }) => [adapterId, rank])).toEqual([
      ['r4-qv', 4],
      ['r8-all', 8],
      ['r16-rs', 16],
    ]);
    const [r4 = 0, ...larger] = engine.adapters().map(({ bytes }) => bytes);
    expect(r4).toBeGreaterThan(0);
    expect(larger).toEqual([2 * r4, 4 * r4]); // as their ranks
    const runs = [['', GOLDEN.cases] as const, ...NAMES.map((name) => [name, GOLDEN.adapters[name]!.cases] as const)];
    const all = runs.flatMap(([adapterId, cases]) => cases.map((golden) => ({ adapterId, golden })));
    const came = await Promise.all(
      all.map(({ adapterId, golden }) => tokens({ adapterId, promptTokenIds: golden.prompt })),
    );
    if (numerics === 'exact') expect(came).toEqual(all.map(({ golden }) => golden.greedy));
    // of the fp32 prompts; what follows is rounded to 8 bits
    else expect(came.map(([first]) => first)).toEqual(all.map(({ golden }) => golden.greedy[0]));
  });

  it('given a prompt that is kept, when it comes for another adapter or the base, then nothing of it is used', async () => {
    const prompt = Array.from({ length: 70 }, (_, at) => (at * 37) % 200);
    const cached = async (adapterId: string) => {
      const { id } = submit({ adapterId, promptTokenIds: prompt, stop: { maxTokens: 4 } });
      await log.end(id);
      return { cached: log.of(id).usage!.cachedPromptTokens, tokens: log.sequence(id).tokenIds };
    };
    const first = new Map<string, number[]>();
    for (const adapterId of ['', ...NAMES]) {
      const run = await cached(adapterId);
      expect([adapterId, run.cached]).toEqual([adapterId, 0]);
      first.set(adapterId, run.tokens);
    }
    for (const adapterId of [...NAMES, '']) {
      const run = await cached(adapterId);
      expect(run.cached).toBeGreaterThanOrEqual(64);
      expect(run.tokens).toEqual(first.get(adapterId));
    }
  });

  it('given another version under the same name while one runs, then that goes on as it began, and new ones have the new version', async () => {
    await engine.unloadAdapter('r16-rs', 10_000);
    await load('swapped', 'r4-qv');
    const golden = GOLDEN.adapters['r4-qv']!.cases[1]!;
    const expected = await tokens({ adapterId: 'swapped', promptTokenIds: golden.prompt });
    const running = submit({ adapterId: 'swapped', promptTokenIds: golden.prompt, initialCredit: 3 });
    await log.until(() => log.sequence(running.id)?.tokenIds.length === 3);
    expect(await load('swapped', 'r16-rs')).toMatchObject({ kind: 'done', adapter: { rank: 16 } });
    const after = GOLDEN.adapters['r16-rs']!.cases[1]!;
    const later = await tokens({ adapterId: 'swapped', promptTokenIds: after.prompt });
    expect(later[0]).toBe(after.greedy[0]);
    engine.credit(running.id, 100);
    await log.end(running.id);
    expect(log.sequence(running.id).tokenIds).toEqual(expected);
  });

  it('given an adapter in use, when unloaded, then new requests are refused and it waits for the running one', async () => {
    const { prompt } = GOLDEN.cases[1]!;
    const running = submit({ adapterId: 'r4-qv', promptTokenIds: prompt, initialCredit: 2 });
    await log.until(() => log.sequence(running.id)?.tokenIds.length === 2);
    const unloaded = engine.unloadAdapter('r4-qv', 60_000);
    const refused = submit({ adapterId: 'r4-qv', promptTokenIds: prompt }).outcome;
    expect(refused).toMatchObject({ kind: 'refused', code: FailureCode.UNKNOWN_MODEL, parameter: 'model' });
    engine.credit(running.id, 100);
    expect((await unloaded).kind).toBe('done');
    expect(log.sequence(running.id).tokenIds).toHaveLength(24);
    expect(await engine.unloadAdapter('r4-qv', 1)).toMatchObject({ kind: 'refused', reason: 'unknown' });
    expect(engine.adapters().map(({ adapterId }) => adapterId)).toEqual(['r8-all', 'swapped']);
  });

  it('given the last adapter, when it goes, then the base answers as before it came', async () => {
    for (const { adapterId } of engine.adapters()) await engine.unloadAdapter(adapterId, 10_000);
    expect(engine.adapters()).toEqual([]);
    for (const { prompt, greedy } of GOLDEN.cases) {
      const came = await tokens({ promptTokenIds: prompt });
      expect(came[0]).toBe(greedy[0]);
      if (numerics === 'exact') expect(came).toEqual(greedy);
    }
  });
});
