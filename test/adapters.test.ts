import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GOLDEN, GOLDEN_MODEL, type GoldenCase } from '../libs/engine-onnx/src/testing/golden-adapters.js';
import { FleetOfProcesses } from './rollout/support/fleet-of-processes.js';
import { eventually } from './support/eventually.js';
import { metricSum } from './support/metrics.js';

const home = mkdtempSync(join(tmpdir(), 'hydra-adapters-'));
const folderOf = (name: string) => join(GOLDEN_MODEL, 'adapters', name);

function yaml(adapters: Readonly<Record<string, string>>): string {
  const list = Object.entries(adapters).map(([id, path]) => `{ id: ${id}, path: ${path} }`);
  return `models:
  - id: tiny
    source: ${GOLDEN_MODEL}
    numerics: exact
    strategy: adapter-affinity
    adapters: [${list.join(', ')}]
aliases: { best: tiny }
`;
}

let fleet: FleetOfProcesses;
beforeAll(async () => {
  fleet = await FleetOfProcesses.start({
    yaml: yaml({ qv: folderOf('r4-qv') }),
    env: { HYDRA_HOME: home, HYDRA_THREADS: '1', HYDRA_KV_BYTES: String(8 << 20) },
    workerModels: ['tiny', 'tiny'],
  });
});
afterAll(async () => {
  await fleet?.stop();
  rmSync(home, { recursive: true });
});

const client = () => new OpenAI({ baseURL: `${fleet.gateways[0]!.url}/v1`, apiKey: 'none', maxRetries: 0 });
const listed = async () => {
  const { data } = await client().models.list();
  return data.map((model) => [model.id, (model as unknown as { parent: string | null }).parent]);
};
const untilListed = (ids: readonly string[]) =>
  eventually(async () => {
    const found = (await listed()).map(([id]) => id).sort();
    return JSON.stringify(found) === JSON.stringify([...ids].sort()) || undefined;
  });
/** All workers have these adapters, and no other. */
const untilLoaded = (ids: readonly string[]) =>
  eventually(async () => {
    const pages = await Promise.all(fleet.workers.map((worker) => worker.metrics()));
    const hasAll = (page: string) =>
      metricSum(page, 'hydra_worker_adapter_loaded') === ids.length &&
      metricSum(page, 'hydra_worker_adapter_bytes') > 0 === ids.length > 0 &&
      ids.every((adapter) => metricSum(page, 'hydra_worker_adapter_loaded', { adapter }) === 1);
    return pages.every(hasAll) || undefined;
  });

async function tokens(model: string, { prompt, greedy }: GoldenCase): Promise<number[]> {
  const answer = await client().completions.create({
    ...{ model, prompt, max_tokens: greedy.length, temperature: 0 },
    ...({ ignore_eos: true, return_token_ids: true } as object),
  });
  expect(answer.model).toBe(model);
  return (answer.choices[0] as unknown as { token_ids: number[] }).token_ids;
}

/** Each app reads the file in its own time. */
const untilRefused = (model: string, status: number, code: string) =>
  eventually(async () => {
    const error = await tokens(model, GOLDEN.cases[0]!).catch((error: unknown) => error);
    return (error instanceof OpenAI.APIError && error.status === status && error.code === code) || undefined;
  });

describe('adapters of hydra.yaml', () => {
  it('given an adapter in the file, then it is a model of its own name, with its own tokens', async () => {
    await untilListed(['tiny', 'best', 'default', 'qv']);
    expect(await listed()).toContainEqual(['qv', 'tiny']);
    expect((await client().models.retrieve('qv')).id).toBe('qv');
    for (const golden of GOLDEN.adapters['r4-qv']!.cases) expect(await tokens('qv', golden)).toEqual(golden.greedy);
    for (const golden of GOLDEN.cases) expect(await tokens('tiny', golden)).toEqual(golden.greedy);
    await expect(tokens('all', GOLDEN.cases[0]!)).rejects.toMatchObject({ status: 404, code: 'model_not_found' });
  });

  it('given running streams, when adapters come into the file, then they are served at once, beside each other, and no stream is disturbed', async () => {
    const golden = GOLDEN.adapters['r4-qv']!.cases[1]!;
    const streams = await Promise.all(
      Array.from({ length: 4 }, () =>
        client().completions.create({
          ...{ model: 'qv', prompt: golden.prompt, max_tokens: 400, temperature: 0, stream: true as const },
          ...({ ignore_eos: true, return_token_ids: true } as object),
        }),
      ),
    );
    fleet.writeConfig(yaml({ qv: folderOf('r4-qv'), all: folderOf('r8-all'), rs: folderOf('r16-rs') }));
    const came = streams.map(async (stream) => {
      const ids: number[] = [];
      for await (const event of stream) {
        ids.push(...((event.choices[0] as unknown as { token_ids?: number[] })?.token_ids ?? []));
      }
      return ids;
    });
    await untilLoaded(['qv', 'all', 'rs']);
    await untilListed(['tiny', 'best', 'default', 'qv', 'all', 'rs']);
    const mixed = [
      ...GOLDEN.cases.map((one) => ['tiny', one] as const),
      ...GOLDEN.adapters['r4-qv']!.cases.map((one) => ['qv', one] as const),
      ...GOLDEN.adapters['r8-all']!.cases.map((one) => ['all', one] as const),
      ...GOLDEN.adapters['r16-rs']!.cases.map((one) => ['rs', one] as const),
    ];
    const answers = await Promise.all(mixed.map(([model, one]) => tokens(model, one)));
    expect(answers).toEqual(mixed.map(([, one]) => one.greedy));
    for (const ids of await Promise.all(came)) {
      expect(ids).toHaveLength(400);
      expect(ids.slice(0, golden.greedy.length)).toEqual(golden.greedy);
    }
  });

  it('given an adapter of another folder under the same name, and one that cannot be read, then the one counts, and the other is told in the log', async () => {
    fleet.writeConfig(yaml({ qv: folderOf('r8-all'), broken: join(home, 'nowhere') }));
    await untilLoaded(['qv']);
    const [first] = GOLDEN.adapters['r8-all']!.cases;
    // Its name is there all the time: until the other folder is read it is the earlier one's.
    await eventually(async () => isDeepStrictEqual(await tokens('qv', first!), first!.greedy) || undefined);
    for (const golden of GOLDEN.adapters['r8-all']!.cases) expect(await tokens('qv', golden)).toEqual(golden.greedy);
    await untilRefused('all', 404, 'model_not_found');
    await untilRefused('broken', 503, 'no_worker');
    await eventually(() => fleet.logsOf('worker-0').includes('adapter not loaded: ') || undefined);
  });

  it('given a file whose adapters have the name of a model, when written, then it is refused and all goes on', async () => {
    fleet.writeConfig(yaml({ best: folderOf('r8-all') }));
    await eventually(() => fleet.logsOf('gateway-a').includes('is the name of an alias already') || undefined);
    const [golden] = GOLDEN.adapters['r8-all']!.cases;
    expect(await tokens('qv', golden!)).toEqual(golden!.greedy);
  });

  it('given a worker that is started again, then it has the adapters when it serves', async () => {
    const copy = join(home, 'copy');
    cpSync(folderOf('r16-rs'), copy, { recursive: true });
    fleet.writeConfig(yaml({ rs: copy }));
    await untilLoaded(['rs']);
    await fleet.restart(fleet.workers[0]!);
    await fleet.restart(fleet.workers[1]!);
    await untilListed(['tiny', 'best', 'default', 'rs']);
    for (const golden of GOLDEN.adapters['r16-rs']!.cases) expect(await tokens('rs', golden)).toEqual(golden.greedy);
  });

  it('given no adapter any more, then the base answers as before', async () => {
    fleet.writeConfig(yaml({}));
    await untilLoaded([]);
    await untilListed(['tiny', 'best', 'default']);
    for (const golden of GOLDEN.cases) expect(await tokens('tiny', golden)).toEqual(golden.greedy);
  });
});
