import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { ApiClient } from './api-client.js';

it('given a list of several pages, when read, then it is whole', async () => {
  const server = createServer(({ url }, response) => {
    const after = new URL(String(url), 'http://test').searchParams.get('after');
    const page = after === 'a&b' ? { data: [{ id: 'c' }], last_id: 'c' } : { data: [{ id: 'a&b' }], last_id: 'a&b' };
    response.end(JSON.stringify({ ...page, has_more: after !== 'a&b' }));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/admin/tenants`;
  expect(await new ApiClient(undefined).list(url)).toEqual({ data: [{ id: 'a&b' }, { id: 'c' }] });
  server.close();
});
