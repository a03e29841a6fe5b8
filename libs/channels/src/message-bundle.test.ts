import { expect, it } from 'vitest';
import { MessageBundle } from './message-bundle.js';

function collecting() {
  const due: (() => void)[] = [];
  const written: number[][] = [];
  const bundle = new MessageBundle<number>(
    (flush) => due.push(flush),
    (first, further) => written.push([first, ...further]),
  );
  const passTime = () => {
    for (const flush of due.splice(0)) flush();
  };
  return { bundle, written, passTime };
}

it('given parts that come together, then they leave as one message, in their order', () => {
  const { bundle, written, passTime } = collecting();
  for (const part of [1, 2, 3]) bundle.add(part);
  expect(written).toEqual([]);
  passTime();
  bundle.add(4);
  passTime();
  expect(written).toEqual([[1, 2, 3], [4]]);
});

it('given more parts than a message takes, then each is sent once, and no message is without a part', () => {
  const { bundle, written, passTime } = collecting();
  const parts = Array.from({ length: 200 }, (_, part) => part);
  for (const part of parts) bundle.add(part);
  passTime();
  expect(written.flat()).toEqual(parts);
  expect(Math.max(...written.map(({ length }) => length))).toBe(64);
});

it('given parts sent ahead of time or forgotten, then nothing is left for later', () => {
  const { bundle, written, passTime } = collecting();
  bundle.add(1);
  bundle.flush();
  bundle.add(2);
  bundle.clear();
  passTime();
  expect(written).toEqual([[1]]);
  bundle.add(3);
  bundle.send(4);
  expect(written).toEqual([[1], [3, 4]]);
  passTime();
  bundle.send(5);
  expect(written).toEqual([[1], [3, 4], [5]]);
});
