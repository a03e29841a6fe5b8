import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { AwakeTimer } from './awake-timer.js';
import { block } from './thread-peer.test-support.js';

it('given a loop that is blocked for much longer than the time, then it has not passed; it passes once', async () => {
  let count = 0;
  let passed = () => {};
  const end = new Promise<void>((resolve) => {
    passed = resolve;
  });
  const timer = new AwakeTimer(100, () => {
    count++;
    passed();
  });
  const keepsAlive = setInterval(() => {}, 1_000);
  timer.start();
  for (let turn = 0; turn < 3; turn++) {
    block(400);
    await nextTurn();
  }
  expect(count).toBe(0);
  await end;
  clearInterval(keepsAlive);
  expect(count).toBe(1);
});

it('given a start anew or a stop right before its end, then it does not pass', async () => {
  let count = 0;
  const anew = new AwakeTimer(100, () => count++);
  const stopped = new AwakeTimer(100, () => count++);
  anew.start();
  stopped.start();
  for (let turn = 0; turn < 40; turn++) {
    block(10); // a part of the time passes with each turn
    await nextTurn();
    if (turn % 5 === 4) anew.start();
    if (turn === 5) stopped.stop();
  }
  anew.stop();
  expect(count).toBe(0);
});
