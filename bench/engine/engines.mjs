import { EngineProcess } from './engine-process.mjs';

const HYDRA = new URL('./hydra-process.mjs', import.meta.url);
const LLAMA_CPP = new URL('../node-llama-cpp/peer-process.mjs', import.meta.url);
const GENAI = new URL('../onnxruntime-genai/peer-process.mjs', import.meta.url);

/** Peers have one copy of the weights, too; the pairs of which it is said have a second one. */
export const ONE_COPY = { HYDRA_PREFILL_WEIGHTS: 'same' };
/** As `make run` has it: the second copy is there where it may be, and a graph that only decodes with it. */
export const AS_STARTED = { HYDRA_PREFILL_WEIGHTS: 'auto' };

/** @param {Record<string, string>} env  settings other than those of hydra.yaml */
export const startHydra = (args = [], env = {}) => EngineProcess.start(HYDRA, args, { ...ONE_COPY, ...env });
/** What it tells of itself; pulls and compiles the model where that has not been done yet. */
export async function describeHydra(env) {
  await using hydra = await startHydra([], env);
  return hydra.description;
}

export const startLlamaCpp = ({ ggufPath, threads }) => EngineProcess.start(LLAMA_CPP, [ggufPath, String(threads)]);
export const startGenai = ({ python, folder, threads }) =>
  EngineProcess.start(GENAI, [python, folder, String(threads)]);
