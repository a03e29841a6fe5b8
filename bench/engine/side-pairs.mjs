import { existsSync, mkdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { loadConfig } from '#lib/config';
import { hasByteProducts } from '#lib/engine-onnx';
import { quantizeGgufToQ8_0 } from '../node-llama-cpp/rewrite-gguf.mjs';
import { GenaiUnavailableError, installGenai, wrapGraph } from '../onnxruntime-genai/install.mjs';
import { GENAI_CASES, INT8_CASES, PREFILL_COPY_CASES, W8A8_CASES } from './cases.mjs';
import { AS_STARTED, describeHydra, startGenai, startHydra, startLlamaCpp } from './engines.mjs';
import { readBandwidth } from './read-bandwidth.mjs';
import { bandwidthFigures, rateFigures } from './report.mjs';
import { runRounds } from './rounds.mjs';

const INT8 = { HYDRA_WEIGHTS: 'int8' };
/** What GenAI's own model builder made, where somebody let it: bench/onnxruntime-genai/README.md. */
const OWN_FORMS = ['int4', 'int8'];

/** Ours against other peers than node-llama-cpp with the file as it is, in a few cases each. */
export class SidePairs {
  #options;
  #folder = join(loadConfig().storage.folder, 'bench');

  /** Figures by pair and case. */
  pairs = {};
  /** Sentences on what could not be measured. */
  notMeasured = [];
  /** Decode of one row in int8 as a share of what memory allows, once `int8` has run. */
  bandwidth;

  /** @param {{rounds: number, model: object, flashAttention?: object, measure: Function, say: (line: string) => void}} options */
  constructor(options) {
    this.#options = options;
    mkdirSync(this.#folder, { recursive: true });
  }

  /** Against node-llama-cpp in Q8_0, between two looks at how fast memory is. */
  async int8() {
    const { model } = this.#options;
    const { bytesPerStep } = await describeHydra(INT8);
    const looks = [await readBandwidth(model.threads)];
    const { cases } = await this.#compareQ8_0('int8', INT8_CASES);
    looks.push(await readBandwidth(model.threads));
    this.bandwidth = bandwidthFigures(cases['decode.1'].hydra.median, bytesPerStep, looks);
  }

  /** The form for long prompts, against node-llama-cpp in its fastest, Q8_0. */
  async w8a8() {
    if (await hasByteProducts()) await this.#compareQ8_0('w8a8', W8A8_CASES);
    else this.notMeasured.push('w8a8: this processor has no VNNI, which these weights need.');
  }

  /** Prompts computed with a second copy of the weights, in fp32, against node-llama-cpp with the same file. */
  prefillCopy() {
    const { model, flashAttention } = this.#options;
    return this.#compare('prefill-fp32', {
      peer: 'node-llama-cpp',
      ours: `${model.weights}+fp32`,
      cases: PREFILL_COPY_CASES,
      start: { hydra: () => startHydra([], { HYDRA_PREFILL_WEIGHTS: 'fp32' }), peer: () => startLlamaCpp(model) },
      peerSettings: (kind) => ({ flashAttention: flashAttention[kind] }),
    });
  }

  /** Against ONNX Runtime GenAI, on our graph and on its own. */
  async genai() {
    const { model } = this.#options;
    const folder = join(this.#folder, 'onnxruntime-genai');
    try {
      const python = installGenai(folder);
      const wrapped = wrapGraph(python, model.compiledFolder, join(folder, 'our-graph'));
      await this.#compareGenai('genai', 'our graph', { python, folder: wrapped });
      for (const form of OWN_FORMS) {
        const own = join(folder, `own-${form}`);
        if (existsSync(own)) await this.#compareGenai(`genai-own-${form}`, `its own ${form}`, { python, folder: own });
        else this.notMeasured.push(`onnxruntime-genai on its own ${form}: its model builder has not made it.`);
      }
    } catch (error) {
      if (!(error instanceof GenaiUnavailableError)) throw error;
      this.#options.say(error.message);
      this.notMeasured.push(error.message);
    }
  }

  #compareQ8_0(weights, cases) {
    const { model, flashAttention } = this.#options;
    const ggufPath = this.#q8_0Of(model);
    return this.#compare(weights, {
      peer: 'node-llama-cpp, Q8_0',
      ours: weights,
      cases,
      start: {
        hydra: () => startHydra([], { HYDRA_WEIGHTS: weights }),
        peer: () => startLlamaCpp({ ggufPath, threads: model.threads }),
      },
      peerSettings: (kind) => ({ flashAttention: flashAttention[kind] }),
    });
  }

  #compareGenai(name, what, { python, folder }) {
    const { model } = this.#options;
    return this.#compare(name, {
      peer: `onnxruntime-genai, ${what}`,
      ours: model.weights,
      cases: GENAI_CASES,
      start: {
        hydra: () => startHydra([], AS_STARTED),
        peer: () => startGenai({ python, folder, threads: model.threads }),
      },
    });
  }

  async #compare(name, { peer, ours, ...pair }) {
    const { rounds, measure, say } = this.#options;
    const answers = await runRounds({ rounds, prefix: `${name}.`, measure, say, ...pair });
    const figures = pair.cases.map((each) => [each.name, rateFigures(answers.get(each.name))]);
    this.pairs[name] = { ours, peer, cases: Object.fromEntries(figures) };
    return this.pairs[name];
  }

  /** Made once for each model. */
  #q8_0Of({ ggufPath, contentKey }) {
    const path = join(this.#folder, `${contentKey}.q8_0.gguf`);
    if (existsSync(path)) return path;
    this.#options.say('Writing the model as Q8_0 ...');
    quantizeGgufToQ8_0(ggufPath, `${path}.part`);
    renameSync(`${path}.part`, path);
    return path;
  }
}
