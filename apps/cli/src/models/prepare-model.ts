import type { HydraConfig, ModelConfig } from '#lib/config';
import { type CompiledModel, compileModel, usableTextFiles } from '#lib/engine-onnx';
import type { ResolvedModel } from '#lib/models';
import { ProgressBar } from '../terminal/progress-bar.js';
import { RecentRate } from '../terminal/recent-rate.js';
import { openStore } from './open-store.js';

/** Downloads a model if it is not here, with a bar, and sees whether its text files can be used. */
export async function pullWithProgress(name: string, config: HydraConfig, signal: AbortSignal): Promise<ResolvedModel> {
  const bar = new ProgressBar(`pull ${name}`);
  let isWaiting = false;
  let bytesTotal: number | undefined;
  const model = await openStore(config).pullModel(name, {
    signal,
    onProgress: (progress) => {
      if (progress.phase === 'wait') {
        if (!isWaiting) process.stderr.write(`pull ${name}: another process downloads it; waiting\n`);
        isWaiting = true;
        return;
      }
      bytesTotal = progress.bytesTotal ?? bytesTotal;
      bar.update(progress);
    },
    onSourceFailed: (source, error) => {
      bar.end();
      process.stderr.write(`pull ${name}: ${source}: ${error.message} Trying the next source.\n`);
    },
  });
  bar.end(bytesTotal === undefined ? undefined : { bytesDone: bytesTotal, bytesTotal });
  await usableTextFiles(model);
  return model;
}

/** Downloads and compiles a model as far as that was not done before, with bars. */
export async function prepareModel(
  model: ModelConfig,
  config: HydraConfig,
  signal: AbortSignal,
): Promise<CompiledModel> {
  const source = await pullWithProgress(model.source ?? model.id, config, signal);
  const label = `compile ${model.id} (${model.weights})`;
  const bar = new ProgressBar(label);
  const rate = new RecentRate();
  let bytesTotal: number | undefined;
  const compiled = await compileModel({
    source,
    weights: model.weights,
    contextTokens: model.contextTokens,
    storeFolder: openStore(config).compiled.folder,
    onProgress: (progress) => {
      bytesTotal = progress.bytesTotal;
      bar.update({ ...progress, ...rate.after(progress.bytesDone, bytesTotal) });
    },
    onWait: () => process.stderr.write(`${label}: another process compiles it; waiting\n`),
    signal,
  });
  bar.end(bytesTotal === undefined ? undefined : { bytesDone: bytesTotal, bytesTotal });
  return compiled;
}
