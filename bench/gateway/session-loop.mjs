import { randomBytes } from 'node:crypto';
import { WorkerSession } from '#lib/channels';
import { GenerationRequest } from '#lib/contracts';
import { quantile } from '../engine/statistics.mjs';

/**
 * Keeps `concurrency` generations under way at workers themselves, in turn, without gateway and scheduler: what part of the
 * time to the first token is theirs.
 * @returns {Promise<{ttftMs: {p50: number, p99: number}}>}
 */
export async function sessionLoop({ workers, modelId, promptTokens, maxTokens, concurrency, warmUpMs, measureMs }) {
  const sessions = await Promise.all(workers.map(openSession));
  const startMs = performance.now();
  const ttftMs = [];
  const client = async (index) => {
    const session = sessions[index % sessions.length];
    for (;;) {
      const sentMs = performance.now();
      if (sentMs > startMs + warmUpMs + measureMs) return;
      const stream = session.submit(
        GenerationRequest.fromPartial({
          generationId: randomBytes(16).toString('hex'),
          requestId: 'bench',
          modelId,
          workerEpoch: session.welcome.workerEpoch,
          promptTokenIds: [...randomBytes(promptTokens)],
          sampling: { temperature: 1, topP: 1, repetitionPenalty: 1, seed: 1 },
          stop: { maxTokens, ignoreEos: true },
          sequenceCount: 1,
          initialCredit: 256,
        }),
      );
      let isFirst = true;
      for (let event = await nextOf(stream); event.kind !== 'finished'; event = await nextOf(stream)) {
        if (event.kind === 'failed') throw new Error(`A generation failed: ${event.failure.message}`);
        if (isFirst && sentMs > startMs + warmUpMs) ttftMs.push(performance.now() - sentMs);
        isFirst = false;
      }
    }
  };
  await Promise.all(Array.from({ length: concurrency }, (_, index) => client(index)));
  for (const session of sessions) session.close();
  return { ttftMs: { p50: quantile(ttftMs, 0.5), p99: quantile(ttftMs, 0.99) } };
}

const nextOf = (stream) => new Promise((resolve) => stream.next(resolve));

function openSession(target) {
  return new Promise((resolve, reject) => {
    const session = new WorkerSession({
      target,
      gatewayId: 'bench',
      onStateChange: (state, reason) => {
        if (state === 'open') resolve(session);
        else if (state === 'waiting') reject(new Error(`The worker at ${target} is not there: ${reason}`));
      },
    });
  });
}
