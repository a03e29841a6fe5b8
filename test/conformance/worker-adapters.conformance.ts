import { basename } from 'node:path';
import { promisify } from 'node:util';
import { status } from '@grpc/grpc-js';
import { expect, it } from 'vitest';
import {
  FailureCode,
  type ListAdaptersRequest,
  type ListAdaptersResponse,
  type LoadAdapterRequest,
  type LoadAdapterResponse,
  type UnloadAdapterRequest,
  type UnloadAdapterResponse,
} from '#lib/contracts';
import { metricSum } from '../support/metrics.js';
import type { WorkerSessions } from './worker-sessions.js';

/** What every worker must do when adapters are loaded and unloaded by calls. @param sessions  with the worker that runs now */
export function describeWorkerAdapters(sessions: () => WorkerSessions): void {
  const adapter = (adapterId: string, source: string) => ({
    adapter: { ...{ adapterId, source, version: '', rank: 0 }, modelId: sessions().worker.modelId },
  });
  async function calls() {
    const { client } = await sessions().open();
    return {
      load: promisify<LoadAdapterRequest, LoadAdapterResponse>(client.loadAdapter.bind(client)),
      unload: promisify<UnloadAdapterRequest, UnloadAdapterResponse>(client.unloadAdapter.bind(client)),
      list: promisify<ListAdaptersRequest, ListAdaptersResponse>(client.listAdapters.bind(client)),
    };
  }
  async function tokensOf(adapterId: string): Promise<readonly number[]> {
    const session = await sessions().open();
    const id = session.submit(sessions().request({ adapterId, stop: { maxTokens: 24, ignoreEos: true } }));
    await session.end(id);
    return session.tokenIds(id);
  }

  it('given an adapter, when loaded, then requests for it have other tokens, the base has the same, and it is listed until it is unloaded', async () => {
    const { load, unload, list } = await calls();
    const before = await tokensOf('');
    const [source, otherSource] = sessions().worker.adapterSources;
    const { adapter: loaded } = await load(adapter('tuned', source));
    expect(loaded).toMatchObject({ adapterId: 'tuned', modelId: sessions().worker.modelId, source });
    expect(loaded!.version).toMatch(/^[0-9a-f]{64}$/);
    expect(loaded!.rank).toBeGreaterThan(0);
    expect(await load(adapter('tuned', source))).toEqual({ adapter: loaded });
    expect(await list({})).toEqual({ adapters: [loaded] });
    const tuned = await tokensOf('tuned');
    expect(tuned).not.toEqual(before);
    expect(await tokensOf('')).toEqual(before);
    expect(metricSum(await sessions().metrics(), 'hydra_worker_adapter_loaded', { adapter: 'tuned' })).toBe(1);

    await load(adapter('tuned', otherSource));
    const replaced = await tokensOf('tuned');
    expect(replaced).not.toEqual(tuned);
    await load(adapter('second', source));
    expect(await Promise.all(['tuned', 'second', ''].map(tokensOf))).toEqual([replaced, tuned, before]);

    for (const adapterId of ['tuned', 'second']) await unload({ adapterId, graceMs: 0 });
    expect(await list({})).toEqual({ adapters: [] });
    expect(await tokensOf('')).toEqual(before);
  });

  it('given an adapter that is not loaded, when asked for, then the refusal says so and may be tried elsewhere', async () => {
    const { unload } = await calls();
    const session = await sessions().open();
    const id = session.submit(sessions().request({ adapterId: 'gone' }));
    await session.end(id);
    expect(session.failed(id)).toMatchObject({ code: FailureCode.UNKNOWN_MODEL, retryable: true });
    await expect(unload({ adapterId: 'gone', graceMs: 0 })).rejects.toMatchObject({ code: status.NOT_FOUND });
  });

  it('given a call that names no adapter of this model, when sent, then it is refused with its reason', async () => {
    const { load } = await calls();
    const [source] = sessions().worker.adapterSources;
    const refused = (request: LoadAdapterRequest, code: status) =>
      expect(load(request)).rejects.toMatchObject({ code });
    await refused({ adapter: undefined }, status.INVALID_ARGUMENT);
    await refused(adapter('', source), status.INVALID_ARGUMENT);
    await refused(adapter(sessions().worker.modelId, source), status.INVALID_ARGUMENT);
    await refused(adapter('a', 'relative/folder'), status.INVALID_ARGUMENT);
    await refused(adapter('a', `${source}/../${basename(source)}`), status.INVALID_ARGUMENT);
    await refused({ adapter: { ...adapter('a', source).adapter, modelId: 'another' } }, status.NOT_FOUND);
  });

  it('given a running generation, when its adapter is unloaded, then it goes on to its end', async () => {
    const { load, unload } = await calls();
    await load(adapter('tuned', sessions().worker.adapterSources[0]));
    const session = await sessions().open();
    const id = session.submit(
      sessions().request({ adapterId: 'tuned', initialCredit: 1, stop: { maxTokens: 12, ignoreEos: true } }),
    );
    await session.until(() => session.tokenIds(id).length > 0);
    await expect(unload({ adapterId: 'tuned', graceMs: 1 })).rejects.toMatchObject({
      code: status.DEADLINE_EXCEEDED,
    });
    session.credit(id, 100);
    await session.end(id);
    expect(session.tokenIds(id)).toHaveLength(12);
    await expect(unload({ adapterId: 'tuned', graceMs: 0 })).rejects.toMatchObject({ code: status.NOT_FOUND });
  });
}
