import { credentials } from '@grpc/grpc-js';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { PlacementClient, PlaceRequest, type PlaceResponse } from '#lib/contracts';
import { FakeScheduler } from '../test-support/fake-scheduler.js';
import { FakeWorker } from '../test-support/fake-worker.js';
import { PlaceStream } from './place-stream.js';

let scheduler: FakeScheduler;
let client: PlacementClient;
let places: PlaceStream;

beforeEach(async () => {
  scheduler = await new FakeScheduler([]).listen();
  client = new PlacementClient(scheduler.target, credentials.createInsecure());
  places = new PlaceStream(client);
});

afterEach(() => {
  places.close();
  client.close();
  scheduler.kill();
});

const { signal } = new AbortController();
const ask = (generationId: string, until = signal) =>
  places.place(PlaceRequest.fromPartial({ generationId, modelId: 'm' }), 10_000, until);
const leaseIdOf = ({ outcome }: PlaceResponse) => (outcome?.$case === 'lease' ? outcome.value.leaseId : undefined);
const askedFor = () => scheduler.places.map(({ generationId }) => generationId);

it('given questions of one turn, when the scheduler takes them together, then they leave in one message and each is answered', async () => {
  await ask('first'); // what the scheduler takes is known from an answer
  const answers = await Promise.all(['a', 'b', 'c'].map((id) => ask(id)));
  expect(answers.map(({ outcome }) => outcome?.$case)).toEqual(['refused', 'refused', 'refused']);
  expect(askedFor()).toEqual(['first', 'a', 'b', 'c']);
  expect(scheduler.placeMessages).toBe(2);
});

it('given answers that come in one message, then each reaches who asked for it', async () => {
  const worker = await new FakeWorker('w', 'm').listen();
  scheduler.workers = [worker];
  await ask('first');
  const answers = await Promise.all(['a', 'b', 'c'].map((id) => ask(id)));
  expect(answers.map(leaseIdOf)).toEqual(['lease-2', 'lease-3', 'lease-4']);
  expect(scheduler.answerMessages).toBe(2);
  worker.kill();
});

it('given a stream lost before its questions left, then they fail and never leave; on the next one each question is a message, until the scheduler says what it takes', async () => {
  await ask('first');
  const lost = ['a', 'b'].map((id) => ask(id));
  places.close();
  for (const failed of await Promise.allSettled(lost)) expect(failed.status).toBe('rejected');
  await Promise.all(['c', 'd'].map((id) => ask(id)));
  expect(askedFor()).toEqual(['first', 'c', 'd']);
  expect(scheduler.placeMessages).toBe(3);
});

it('given a scheduler of before, then each question is a message', async () => {
  scheduler.takesFurther = false;
  await ask('first');
  await Promise.all(['a', 'b', 'c'].map((id) => ask(id)));
  expect(scheduler.placeMessages).toBe(4);
});

it('given a question that is given up in the turn in which it was asked, then the scheduler is told, and others are answered', async () => {
  await ask('first');
  scheduler.gate = Promise.resolve();
  const leaving = new AbortController();
  const given = ask('a', leaving.signal);
  const kept = ask('b');
  leaving.abort(new Error('gone'));
  await expect(given).rejects.toThrow('gone');
  await kept;
  expect(scheduler.cancelledPlaces).toBe(1);
  expect(scheduler.placeMessages).toBe(2);
});

it('given leases that ended, then their release leaves at once, with the questions that wait', async () => {
  await ask('first');
  const answer = ask('a');
  const release = { leaseId: 'l', outcome: 'finished', usage: undefined, ttftUs: 0, keepTrace: false };
  expect(places.release([release])).toBe(true);
  await answer;
  expect(scheduler.releases.map(({ leaseId }) => leaseId)).toEqual(['l']);
  expect(scheduler.placeMessages).toBe(2);
});
