import { GenerationRequest } from '#lib/contracts';

/**
 * Loads an engine without a platform around it: the same closed loop as `hydra bench`, at the Engine port.
 * @param {import('#lib/engine').Engine} engine  started
 * @param {{concurrency: number, requests: number, maxTokens: number, promptOf: (i: number) => ArrayLike<number>, warmUp?: number}} options
 *   `warmUp`: requests that come before and do not count; as many as run at once unless said otherwise
 * @returns {Promise<{ttftMs: number[], itlMs: number[], outputTokens: number, tokensPerSecond: number}>}
 */
export async function loadEngine(engine, { concurrency, requests, maxTokens, promptOf, warmUp = concurrency }) {
  const open = new Map();
  engine.onEvent((event) => {
    if (event.kind === 'step') {
      const now = performance.now();
      for (const entry of event.entries) open.get(entry.generationId)?.arrivals.push(now);
    } else if (event.kind === 'finished') open.get(event.generationId)?.resolve();
    else if (event.kind === 'failed') open.get(event.generationId)?.reject(new Error(event.message));
  });
  const sample = async (number) => {
    const generationId = `bench-${number}`;
    const { promise, resolve, reject } = Promise.withResolvers();
    const arrivals = [];
    open.set(generationId, { arrivals, resolve, reject });
    const startMs = performance.now();
    const outcome = engine.submit(
      GenerationRequest.fromPartial({
        generationId,
        promptTokenIds: Array.from(promptOf(number)),
        modelId: engine.describe().model.modelId,
        sampling: { temperature: 0, topP: 1, repetitionPenalty: 1, seed: 1 },
        stop: { maxTokens, ignoreEos: true },
        sequenceCount: 1,
        initialCredit: maxTokens,
      }),
    );
    if (outcome.kind === 'refused') throw new Error(outcome.message);
    await promise;
    open.delete(generationId);
    return { ttftMs: arrivals[0] - startMs, itlMs: arrivals.slice(1).map((at, i) => at - arrivals[i]) };
  };
  await inParallel(concurrency, warmUp, (i) => sample(-1 - i));
  const samples = [];
  const startMs = performance.now();
  await inParallel(concurrency, requests, async (i) => samples.push(await sample(i)));
  const outputTokens = requests * maxTokens;
  return {
    ttftMs: samples.map((each) => each.ttftMs),
    itlMs: samples.flatMap((each) => each.itlMs),
    outputTokens,
    tokensPerSecond: outputTokens / ((performance.now() - startMs) / 1000),
  };
}

async function inParallel(width, count, work) {
  let next = 0;
  const lane = async () => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: Math.min(width, count) }, lane));
}
