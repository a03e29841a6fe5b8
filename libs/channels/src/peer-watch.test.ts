import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { FailureCode, GenerationRequest } from '#lib/contracts';
import { nextOf } from './session-server.test-support.js';
import { block, ThreadPeer } from './thread-peer.test-support.js';
import { type SessionState, WorkerSession } from './worker-session.js';

const request = GenerationRequest.fromPartial({ generationId: 'g1', initialCredit: 8, promptTokenIds: [1] });

let peer: ThreadPeer;
let session: WorkerSession;
let states: SessionState[];
let stateListener: () => void;

async function open(answersHealth: boolean): Promise<void> {
  peer = await ThreadPeer.start({ answersHealth });
  states = [];
  stateListener = () => {};
  session = new WorkerSession({
    target: peer.target,
    gatewayId: 'gateway-a',
    onStateChange: (state) => {
      states.push(state);
      stateListener();
    },
  });
  await untilOpen(1);
}

/** Resolves when it has been opened so often. */
const untilOpen = (count: number) =>
  new Promise<void>((resolve) => {
    stateListener = () => states.filter((state) => state === 'open').length === count && resolve();
    stateListener();
  });

afterEach(async () => {
  session.close();
  await peer.stop();
});

describe('a peer', () => {
  it('given an own event loop that is blocked for longer than a peer may be silent, again and again, then it is not lost', async () => {
    await open(false);
    for (let turn = 0; turn < 4; turn++) {
      block(1_800);
      await nextTurn();
    }
    await nextTurn();
    expect(states).toEqual(['open']);
  });

  it('given nothing to say, then it is asked whether it is there, and stays', async () => {
    await open(true);
    await peer.untilAsked(4);
    expect(states).toEqual(['open']);
  });

  it('given one that freezes, then what it runs ends as lost, and the session is open again when it goes on', async () => {
    await open(false);
    const stream = session.submit(request);
    peer.freeze();
    expect(await nextOf(stream)).toMatchObject({ kind: 'failed', failure: { code: FailureCode.WORKER_LOST } });
    peer.thaw();
    await untilOpen(2);
  });
});
