import { credentials, Metadata, status } from '@grpc/grpc-js';
import { expect, it } from 'vitest';
import { FleetClient } from '#lib/contracts';
import { GrpcStatusError } from './grpc-status-error.js';

it('given a port where nobody listens, when called, then the reason stands alone', async () => {
  const client = new FleetClient('127.0.0.1:1', credentials.createInsecure());
  const call = client.watch({ watcherId: 'test' });
  const error = await new Promise((resolve) => call.on('error', resolve).resume());
  client.close();
  expect(GrpcStatusError.from(error).message).toBe('UNAVAILABLE: connect ECONNREFUSED 127.0.0.1:1');
});

it.each([
  ['No connection established. Last error: null. Resolution note: ', 'no connection yet'],
  ['Connection dropped', 'Connection dropped'],
  ['', ''],
])('given the details %j, when taken, then they say %j', (details, expected) => {
  const error = { code: status.UNAVAILABLE, details, metadata: new Metadata() };
  expect(GrpcStatusError.from(error).details).toBe(expected);
});
