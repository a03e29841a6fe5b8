import { Disturbance } from './disturbance.mjs';

/**
 * The child's end of an `EngineProcess`: says that it is ready, then answers one case after another.
 * @param {Record<string, (argument: any) => Promise<object>>} answers  by kind of case
 * @param {object} description  of what was loaded
 * @param {() => Promise<void>} stop
 * @param {() => number} [ownSeconds]  processor time of the engine, where it is not this process
 */
export function answerCases(answers, description, stop, ownSeconds) {
  process.on('message', async ({ kind, argument }) => {
    if (kind === 'stop') {
      await stop();
      process.disconnect();
      return;
    }
    try {
      const disturbance = new Disturbance(ownSeconds);
      const answer = await answers[kind](argument);
      process.send({ answer: { ...answer, disturbedShare: disturbance.share() } });
    } catch (error) {
      process.send({ error: error instanceof Error ? error.message : String(error) });
    }
  });
  process.on('disconnect', () => process.exit()); // also when the bench itself has gone
  process.send({ answer: description });
}
