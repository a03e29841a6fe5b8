/** The load generator as a process of its own: runs what it is asked for over IPC. */
import { closedLoop } from './closed-loop.mjs';
import { inTurn, leaveStreams, openStreams, streamEndings } from './open-streams.mjs';
import { sessionLoop } from './session-loop.mjs';

const LOADS = { closedLoop, sessionLoop, openStreams, streamEndings, leaveStreams, inTurn };

process.on('message', async ({ id, load, options }) => {
  try {
    process.send({ id, result: await LOADS[load](options) });
  } catch (error) {
    process.send({ id, error: error.stack });
  }
});
process.once('disconnect', () => process.exit(0));
