import type { HydraConfig, ModelConfig } from '#lib/config';
import {
  type CompiledForms,
  type CompileProgress,
  compileForms,
  usableMemoryBytes,
  usableTextFiles,
} from '#lib/engine-onnx';
import type { ResolvedModel } from '#lib/models';
import { placedModels } from '../platform/placed-models.js';
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
): Promise<CompiledForms> {
  const source = await pullWithProgress(model.source ?? model.id, config, signal);
  let bar: CompileBar | undefined;
  const compiled = await compileForms({
    source,
    weights: model.weights,
    prefillWeights: model.prefillWeights,
    memoryBytes: usableMemoryBytes() / placedModels(config).length,
    contextTokens: model.contextTokens,
    storeFolder: openStore(config).compiled.folder,
    onProgress: (progress) => {
      if (bar?.weights !== progress.weights) {
        bar?.end();
        bar = new CompileBar(model.id, progress.weights);
      }
      bar.update(progress);
    },
    onWait: () => process.stderr.write(`compile ${model.id}: another process compiles it; waiting\n`),
    signal,
  });
  bar?.end();
  return compiled;
}

/** For one form of the weights. */
class CompileBar {
  private readonly bar: ProgressBar;
  private readonly rate = new RecentRate();
  private bytesTotal = 0;

  constructor(
    modelId: string,
    readonly weights: CompileProgress['weights'],
  ) {
    this.bar = new ProgressBar(`compile ${modelId} (${weights})`);
  }

  update(progress: CompileProgress): void {
    this.bytesTotal = progress.bytesTotal;
    this.bar.update({ ...progress, ...this.rate.after(progress.bytesDone, progress.bytesTotal) });
  }

  end(): void {
    this.bar.end({ bytesDone: this.bytesTotal, bytesTotal: this.bytesTotal });
  }
}
