import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, expect, it } from 'vitest';
import { SocketTurn } from './socket-turn.js';

const turn = new SocketTurn();
const closers: (() => void)[] = [];

afterEach(() => {
  for (const close of closers.splice(0)) close();
});

/** @returns the body of what `answer` answers */
async function bodyOf(answer: (response: ServerResponse) => unknown): Promise<string> {
  const server = createServer((_request: IncomingMessage, response) => void answer(response));
  closers.push(() => server.close());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return (await fetch(`http://127.0.0.1:${port}`)).text();
}

it('given a response that writes in several turns, then what it wrote in each leaves at the end of the turn', async () => {
  const waiting: number[] = [];
  const body = await bodyOf(async (response) => {
    for (const text of ['a', 'b']) {
      turn.hold(response);
      response.write(text);
      turn.hold(response);
      response.write(text);
      waiting.push(response.writableLength);
      await nextTurn();
      waiting.push(response.writableLength);
    }
    response.end();
  });
  expect(body).toBe('aabb');
  expect(waiting.map((bytes) => bytes > 0)).toEqual([true, false, true, false]);
});

it('given a response that ends in the turn, then it is let go of once, and others of the turn leave', async () => {
  const answers: ServerResponse[] = [];
  const answerAll = async (response: ServerResponse) => {
    answers.push(response);
    if (answers.length < 2) return;
    for (const each of answers) turn.hold(each);
    answers[0]?.end('ended');
    answers[1]?.write('written');
    await nextTurn();
    expect(answers.map(({ writableCorked }) => writableCorked)).toEqual([0, 0]);
    answers[1]?.end();
  };
  expect(await Promise.all([bodyOf(answerAll), bodyOf(answerAll)])).toEqual(
    expect.arrayContaining(['ended', 'written']),
  );
});
