import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { administerList } from './admin-client.js';

it('given a list of several pages, when read, then it is whole and each page was asked for after the one before', async () => {
  const entries = Array.from({ length: 2_500 }, (_, index) => ({ id: `m/${index}&` }));
  const asked: string[] = [];
  const server = createServer(({ url }, response) => {
    const { pathname, searchParams } = new URL(String(url), 'http://test');
    asked.push(`${pathname} ${searchParams.get('after')}`);
    const start = entries.findIndex(({ id }) => id === searchParams.get('after')) + 1;
    const data = entries.slice(start, start + Number(searchParams.get('limit')));
    const ids = { first_id: data[0]?.id ?? null, last_id: data.at(-1)?.id ?? null };
    response.end(JSON.stringify({ object: 'list', data, ...ids, has_more: start + data.length < entries.length }));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const list = await administerList({ url }, ['tenants', 'a/b', 'keys']);
  server.close();
  expect(list).toEqual({ object: 'list', data: entries, first_id: 'm/0&', last_id: 'm/2499&', has_more: false });
  const path = '/v1/admin/tenants/a%2Fb/keys';
  expect(asked).toEqual([`${path} null`, `${path} m/999&`, `${path} m/1999&`]);
});
