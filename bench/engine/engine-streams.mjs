import { GenerationRequest } from '#lib/contracts';

let count = 0;

/** Generations of an engine, and when their tokens arrived at its caller, text included. */
export class EngineStreams {
  #open = new Map();

  /** @param {import('#lib/engine').Engine} engine  started */
  constructor(engine) {
    this.engine = engine;
    this.listen();
  }

  /** Again, after something else listened. */
  listen() {
    this.engine.onEvent((event) => this.#receive(event));
  }

  /**
   * @param {{promptTokenIds: number[], maxTokens: number, credit?: number, temperature?: number}} options  with less credit
   *   than tokens it pauses when it has used it up
   */
  open({ promptTokenIds, maxTokens, credit = maxTokens, temperature = 0 }) {
    const stream = new Stream(`bench-${count++}`);
    this.#open.set(stream.id, stream);
    const outcome = this.engine.submit(
      GenerationRequest.fromPartial({
        generationId: stream.id,
        promptTokenIds,
        modelId: this.engine.describe().model.modelId,
        sampling: { temperature, topP: 1, repetitionPenalty: 1, seed: count },
        stop: { maxTokens, ignoreEos: true },
        sequenceCount: 1,
        initialCredit: credit,
      }),
    );
    if (outcome.kind === 'refused') throw new Error(outcome.message);
    return stream;
  }

  #receive(event) {
    const nowMs = performance.now();
    switch (event.kind) {
      case 'step':
        for (const { generationId, tokenIds } of event.entries) {
          for (const _ of tokenIds) this.#open.get(generationId)?.tokenCame(nowMs);
        }
        return;
      case 'finished':
        this.#open.get(event.generationId)?.ended();
        this.#open.delete(event.generationId);
        return;
      case 'failed':
        this.#open.get(event.generationId)?.ended(new Error(event.message));
        this.#open.delete(event.generationId);
        return;
      case 'engine-lost':
        for (const stream of this.#open.values()) stream.ended(new Error(event.message));
    }
  }
}

class Stream {
  #first = Promise.withResolvers();
  #end = Promise.withResolvers();

  /** In milliseconds. @type {number[]} */
  arrivals = [];

  constructor(id) {
    this.id = id;
    this.startMs = performance.now();
    this.hasStarted = this.#first.promise;
    this.hasEnded = this.#end.promise;
    for (const promise of [this.hasStarted, this.hasEnded]) promise.catch(() => {}); // one of them may never be waited for
  }

  tokenCame(nowMs) {
    this.arrivals.push(nowMs);
    this.#first.resolve();
  }

  ended(error) {
    if (error === undefined) this.#end.resolve();
    else for (const { reject } of [this.#first, this.#end]) reject(error);
  }
}
