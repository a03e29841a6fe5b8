import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type EngineEvent, type ModelRunner, StepLoop } from '#lib/engine';
import { TextModel } from '#lib/tokens';
import { EventLog } from '../../engine/testing/event-log.js';
import { bestOf, naiveLogprobs } from '../../engine/testing/naive-logprobs.js';
import { type RequestParts, requestOf } from '../../engine/testing/requests.js';
import { compileModel } from './compile/compile-model.js';
import { OnnxModelRunner } from './onnx-model-runner.js';

interface GoldenCase {
  readonly prompt: number[];
  readonly top: [number, number][];
  readonly logsumexp: number;
}

const TEXT_FILES = ['tokenizer.json', 'tokenizer_config.json', 'config.json', 'generation_config.json'];

describe('prompts on the tiny model llama', () => {
  const folder = fileURLToPath(new URL('../../../test/data/models/llama', import.meta.url));
  const { cases } = JSON.parse(readFileSync(join(folder, 'golden.json'), 'utf8')) as { cases: GoldenCase[] };
  const storeFolder = mkdtempSync(join(tmpdir(), 'shared-prompt-'));
  const text = TextModel.load(new Map(TEXT_FILES.map((name) => [name, readFileSync(join(folder, name))])));
  let runner: OnnxModelRunner;

  beforeAll(async () => {
    const source = { kind: 'hf-folder', folder, id: folder, origin: 'folder', bytes: 0, contentKey: 'llama' } as const;
    const compiled = await compileModel({ source, weights: 'fp32', storeFolder });
    const graph = { ...compiled.manifest, path: compiled.graphPath };
    runner = await OnnxModelRunner.load(graph, { threads: 1, kvBytes: 16 * 1024 * 1024, chunkTokens: 32 });
  });
  afterAll(async () => {
    await runner.close();
    rmSync(storeFolder, { recursive: true });
  });

  async function run(parts: RequestParts, on: ModelRunner = runner) {
    const log = new EventLog();
    const onEvent = (event: EngineEvent) => log.listener(event);
    const loop = new StepLoop(on, { table: text.table, eosTokenIds: [] }, { waitingGenerations: 1, onEvent });
    const ended = loop.run();
    const request = requestOf(parts);
    loop.submit({ ...request, sampling: request.sampling!, stop: request.stop! });
    await log.end(request.generationId);
    const { computedPromptTokens } = loop.state();
    loop.close();
    await ended;
    return { ...log.of(request.generationId), computedPromptTokens };
  }

  /** The runner, but for copies: each sequence computes the prompt by itself. */
  function withoutCopies(): ModelRunner {
    return {
      limits: { ...runner.limits, promptRun: undefined },
      prefill: (chunk) => runner.prefill(chunk),
      decode: (rows) => runner.decode(rows),
      close: async () => {},
    };
  }

  it('given the golden prompts, when the 20 best are told, then they are the reference within 1e-3', async () => {
    for (const { prompt, top, logsumexp } of cases) {
      const sampling = { reportLogprobs: true, topLogprobs: 20 };
      const { sequences } = await run({ promptTokenIds: prompt, sampling, stop: { maxTokens: 1 } });
      const told = sequences.get(0)!.logprobs[0]!;
      expect(told.chosen?.tokenId).toBe(top[0]![0]);
      expect(told.top).toHaveLength(20);
      const byId = new Map(told.top.map(({ tokenId, logprob }) => [tokenId, logprob]));
      for (const [id, logit] of top) expect(Math.abs((byId.get(id) ?? NaN) - (logit - logsumexp))).toBeLessThan(1e-3);
    }
  });

  it('given a prompt, when the logits of all its tokens are computed, then each is that of the prefix alone', async () => {
    const { prompt } = cases.find((one) => one.prompt.length >= 30)!;
    const { vocabularySize } = runner.limits;
    const all = (await runner.prefill({ slot: 0, position: 0, tokenIds: prompt.slice(0, 30), logitsFor: 'all' }))!;
    expect(all.rows).toBe(30);
    const rows = Array.from({ length: 30 }, (_, row) =>
      all.data.slice(row * vocabularySize, (row + 1) * vocabularySize),
    );
    for (const [row, logits] of rows.entries()) {
      const tokenIds = prompt.slice(0, row + 1);
      const { data } = (await runner.prefill({ slot: 1, position: 0, tokenIds, logitsFor: 'last' }))!;
      for (let id = 0; id < vocabularySize; id++) expect(Math.abs(data[id]! - logits[id]!)).toBeLessThan(1e-4);
    }
  });

  it('given a prompt in chunks, when its log-probabilities are told, then they are those of its prefixes', async () => {
    const { prompt } = cases.find((one) => one.prompt.length > 64)!;
    const sampling = { reportPromptLogprobs: true, topLogprobs: 2 };
    const { sequences } = await run({ promptTokenIds: prompt, sampling, stop: { maxTokens: 1 } });
    const { promptLogprobs } = sequences.get(0)!;
    expect(promptLogprobs.map(({ chosen }) => chosen?.tokenId)).toEqual(prompt.slice(1));
    for (const position of [1, 31, 32, 33, 64, prompt.length - 1]) {
      let data = new Float32Array();
      for (let from = 0; from < position; from += 32) {
        const tokenIds = prompt.slice(from, Math.min(from + 32, position));
        data = (await runner.prefill({ slot: 0, position: from, tokenIds, logitsFor: 'last' }))!.data as typeof data;
      }
      const naive = naiveLogprobs(data);
      const { chosen, top } = promptLogprobs[position - 1]!;
      expect(Math.abs(chosen!.logprob - naive[prompt[position]!]!)).toBeLessThan(1e-4);
      expect(top.map(({ tokenId }) => tokenId)).toEqual(bestOf(naive, 2));
    }
  });

  it('given n sequences, when sampled or greedy, then each is that of a request of its own, and the prompt is computed once', async () => {
    for (const { prompt } of cases) {
      for (const temperature of [0, 1]) {
        const parts = {
          promptTokenIds: prompt,
          sequenceCount: 5,
          sampling: { temperature, seed: 11 },
          stop: { maxTokens: 12 },
        };
        const shared = await run(parts);
        const separate = await run(parts, withoutCopies());
        expect(shared.sequences).toEqual(separate.sequences);
        expect(shared.computedPromptTokens).toBe(prompt.length === 1 ? 5 : prompt.length);
        expect(separate.computedPromptTokens).toBe(5 * prompt.length);
      }
    }
  });

  it('given a copy that makes no sense, when asked for, then it is refused', () => {
    const { slots, contextTokens } = runner.limits;
    expect(() => runner.copySlot?.({ from: 1, to: 1, tokens: 1 })).toThrow('not copied to itself');
    expect(() => runner.copySlot?.({ from: 0, to: slots, tokens: 1 })).toThrow(`Slot ${slots} is not one of`);
    expect(() => runner.copySlot?.({ from: 0, to: 1, tokens: contextTokens + 1 })).toThrow('are not in a context');
  });
});
